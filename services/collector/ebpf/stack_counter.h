#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "services/collector/ebpf/process_table.h"
#include "services/collector/ebpf/sampler.h"

namespace stoker::ebpf {

// How often each stack was seen in an interval. Equal are stacks of one process, in one image, with
// the same addresses, that wait for the same kind of thing, and of one thread name where that
// counts. Used by one thread.
class StackCounter {
 public:
  struct Stack {
    ProcessPtr process;
    // As it was when the sample was taken; null when it could not be read.
    ImagePtr image;
    stoker_stop stop = STOKER_STOP_COMPLETE;
    std::vector<__u64> kernel;
    std::vector<__u64> user;
    stoker_wait wait = STOKER_WAIT_NONE;
    // Empty unless it counts.
    std::string thread_name;
    std::uint64_t count = 0;
    // The sum of RawSample's.
    std::uint64_t value = 0;
  };

  // False when the bound is reached and the stack is new: the sample is not counted. `thread_name`
  // empty: threads are not told apart.
  [[nodiscard]] bool Add(const ProcessPtr& process, const RawSample& sample,
                         std::string_view thread_name = {});

  // All stacks counted; the counter is empty then.
  std::vector<Stack> Take();

  [[nodiscard]] std::uint64_t samples() const { return samples_; }
  [[nodiscard]] std::size_t stacks() const { return stacks_.size(); }

  static constexpr std::size_t kMaxStacks = std::size_t{1} << 18;

 private:
  // By the bytes that make stacks equal.
  std::unordered_map<std::string, Stack> stacks_;
  std::string key_;
  std::uint64_t samples_ = 0;
};

}  // namespace stoker::ebpf
