#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include <absl/time/time.h>

#include "services/collector/ebpf/process_table.h"
#include "services/collector/ebpf/python/code_source.h"

namespace stoker::ebpf {

// Sees to it that the code objects of sampled Python processes have names: asks for them as soon as
// a sample brings them, at most one question a process at a time. A process whose memory does not
// come is asked at growing distances. Used by one thread.
class PythonCodeTracker {
 public:
  struct Counts {
    // Code objects that were read, that were gone, and whose process would not be read.
    std::uint64_t read = 0;
    std::uint64_t gone = 0;
    std::uint64_t refused = 0;
  };

  // Borrows the source; null: nothing is named.
  explicit PythonCodeTracker(PythonCodeSource* source) : source_(source) {}

  void OnSample(const ProcessPtr& process, std::span<const __u64> user, absl::Duration now);
  // Takes what was read, and asks on.
  void Update(absl::Duration now);
  // Forgets processes that nobody else has, and names beyond the bound. About once a second.
  void Sweep();

  // Whether code that was asked for is not read yet.
  [[nodiscard]] bool Waiting() const { return !open_.empty(); }
  [[nodiscard]] const Counts& counts() const { return counts_; }
  // Processes with names, and their code objects.
  [[nodiscard]] std::size_t processes() const { return asked_.size(); }
  [[nodiscard]] std::size_t codes() const;

  // Of the names of all processes.
  static constexpr std::size_t kMaxBytes = std::size_t{128} << 20;
  // Of one process that wait to be asked for; more are asked for when they are sampled again.
  static constexpr std::size_t kMaxPending = 4096;

 private:
  // What one process was asked for.
  struct Asked {
    std::vector<PythonFrame::Code> pending;
    bool in_flight = false;
    absl::Duration next_ask;
    int refusals = 0;
  };
  struct Question {
    std::weak_ptr<Process> process;
    std::vector<PythonFrame::Code> codes;
  };

  void Ask(const ProcessPtr& process, Asked& asked, absl::Duration now);
  void Take(const PythonCodeSource::Answer& answer, const Question& question, absl::Duration now);
  template <typename Visit>
  void ForEachNames(const Visit& visit) const;

  PythonCodeSource* const source_;
  // Entries outlive their processes until no question is open.
  std::map<std::weak_ptr<Process>, Asked, std::owner_less<std::weak_ptr<Process>>> asked_;
  std::map<std::uint64_t, Question> open_;
  std::uint64_t next_ticket_ = 1;
  Counts counts_;
};

}  // namespace stoker::ebpf
