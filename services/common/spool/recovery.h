#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/common/base/env.h"
#include "services/common/spool/metrics.h"
#include "services/common/spool/quarantine.h"
#include "services/common/spool/segment.h"

namespace stoker::spool {

struct Recovered {
  // By number, each with at least one record; all sealed.
  std::vector<Segment> segments;
  // Higher than that of any record that ever was in these files, and than any file's number.
  std::uint64_t next_sequence = 1;
};

// Reads what a process left in `folder`: headers and footers, and every record of a file without a
// footer, which is the one that was being written. What cannot be read is left alone or moved to
// quarantine, counted and logged; it never stops the start. `done` is the lowest cursor.
Recovered Recover(Env& env, const std::string& folder, std::uint64_t done, Quarantine& quarantine,
                  Metrics& metrics);

}  // namespace stoker::spool
