#pragma once

#include <thread>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "services/collector/ebpf/python/code_source.h"
#include "services/common/runtime/bounded_queue.h"
#include "services/common/sandbox/sandbox.h"

namespace stoker::ebpf {

// Opens /proc/PID/mem, which needs the right to trace the process, and has a sandbox read code
// objects through the descriptor, which needs none; on a thread of its own. A process whose memory
// does not come costs the others half a second. Thread-safe.
class PythonCodeReader final : public PythonCodeSource {
 public:
  // Borrows the sandbox, which must know kPythonCodeJob.
  explicit PythonCodeReader(sandbox::Sandbox& sandbox);
  ~PythonCodeReader() override;

  bool Request(const Question& question) override;
  std::vector<Answer> TakeAnswers() override;

 private:
  void Run();
  absl::StatusOr<PythonCodes> Read(const Question& question);

  sandbox::Sandbox& sandbox_;
  runtime::BoundedQueue<Question> questions_;
  absl::Mutex mutex_;
  std::vector<Answer> answers_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace stoker::ebpf
