#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "services/cli/record/progress.h"
#include "services/cli/record/record.h"

namespace stoker::cli {

// What came of a recording.
struct SessionResult {
  // Bare; "" when nothing was sampled.
  std::string pprof;
  std::uint64_t samples = 0;
  absl::Duration duration;
  // How the command ended, "exit status 0"; "" where there was none, or it was ended with the
  // recording.
  std::string command_end;
  // Why nothing was sampled, one sentence.
  std::string why_empty;
  // Samples lost on the way, with the reasons; "" for none.
  std::string lost;
  // A second Ctrl-C.
  bool killed = false;
};

// Runs the processes of one recording from their start to their end, in a scratch folder. Call it
// on the main thread, signals blocked (EventLoop::BlockSignals).
absl::StatusOr<SessionResult> RunSession(const RecordOptions& options, Progress& progress);

}  // namespace stoker::cli
