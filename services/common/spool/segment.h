#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "services/common/base/env.h"
#include "services/common/spool/format.h"

namespace stoker::spool {

// What is known of a segment file in use.
struct Segment {
  std::uint64_t number = 0;
  std::string path;
  std::shared_ptr<File> file;
  // Readers stop here: what lies before is durable.
  std::uint64_t data_end = kSegmentHeaderBytes;
  std::uint64_t last_sequence = 0;
  // Of its newest record, Unix time.
  std::int64_t time_ns = 0;
  // Samples of records that some consumer is not done with.
  std::uint64_t open_samples = 0;
  // Nothing is appended any more.
  bool sealed = false;
};

}  // namespace stoker::spool
