#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "services/collector/ebpf/python/frame_words.h"
#include "services/collector/ebpf/python/layout.h"
#include "services/collector/ebpf/python/python_code.pb.h"
#include "services/common/procfs/process.h"

namespace stoker::ebpf {

// Reads code objects of Python processes elsewhere: their memory is hostile, and may be slow.
class PythonCodeSource {
 public:
  virtual ~PythonCodeSource() = default;

  struct Question {
    // Comes back with the answer.
    std::uint64_t ticket = 0;
    procfs::ProcessKey process;
    std::shared_ptr<const PythonCodeLayout> layout;
    // At most kMaxCodes (code_job.h).
    std::vector<PythonFrame::Code> codes;
  };
  enum class Outcome {
    kRead,
    kProcessEnded,
    // Its memory may not be read, or not in time.
    kRefused,
  };
  struct Answer {
    std::uint64_t ticket = 0;
    Outcome outcome = Outcome::kRefused;
    // Of kRead: in the question's order.
    PythonCodes codes;
  };

  // False: too many questions wait.
  virtual bool Request(const Question& question) = 0;
  // What has been answered since the last call.
  virtual std::vector<Answer> TakeAnswers() = 0;
};

}  // namespace stoker::ebpf
