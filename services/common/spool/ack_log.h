#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <absl/status/status.h>

#include "services/common/base/env.h"

namespace stoker::spool {

// Consumers by name, and the sequence up to which each is done.
using Cursors = std::map<std::string, std::uint64_t>;

// The cursors on disk: a text file, a line an advance, `<checksum> <sequence> <name>`. A lost or
// damaged line sets a cursor back: its consumer gets records twice, none is lost. One thread.
class AckLog {
 public:
  AckLog(Env& env, std::string folder);

  // What the file says; empty where there is none.
  static Cursors Load(Env& env, const std::string& folder);

  // Appends what changed since the last call; not synced. A consumer that is gone, a long file or
  // an earlier error make the file anew, durable.
  absl::Status Write(const Cursors& cursors);

 private:
  absl::Status Rewrite(const Cursors& cursors);

  Env& env_;
  const std::string folder_;
  std::unique_ptr<File> file_;
  std::uint64_t size_ = 0;
  Cursors written_;
};

}  // namespace stoker::spool
