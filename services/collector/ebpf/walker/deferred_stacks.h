#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "services/collector/ebpf/process_table.h"
#include "services/collector/ebpf/sampler.h"
#include "services/collector/ebpf/walker/publisher.h"

namespace stoker::ebpf::walker {

// Whether a walk ended for want of what user space will bring.
inline bool LacksTables(stoker_stop stop) {
  return stop == STOKER_STOP_PROCESS_ABSENT || stop == STOKER_STOP_TABLE_ABSENT ||
         stop == STOKER_STOP_PAGE_ABSENT;
}

// Samples whose user stacks came before the tables that they need: each waits for a bounded time
// until it can be unwound here. Used by one thread.
class DeferredStacks {
 public:
  // A sample that is unwound as far as can be; its spans live as long as the call.
  using Deliver = std::function<void(const SamplerKind& sampler, const ProcessPtr& process,
                                     const RawSample& sample)>;

  struct Counts {
    // All that came, those that were unwound to another end than want of tables, and those that
    // found no room to wait.
    std::uint64_t taken = 0;
    std::uint64_t unwound = 0;
    std::uint64_t refused = 0;
  };

  // Borrows both.
  DeferredStacks(ProcessTable& processes, Publisher& publisher, Deliver deliver)
      : processes_(processes), publisher_(publisher), deliver_(std::move(deliver)) {}

  // Takes a sample with `deferred`, of a sampler of that kind.
  void Add(const SamplerKind& sampler, const ProcessPtr& process, const RawSample& sample,
           absl::Duration now);

  // Hands over those that are done or have waited long enough; all of them when `all`.
  void Run(absl::Duration now, bool all);

  [[nodiscard]] std::size_t size() const { return stacks_.size(); }
  [[nodiscard]] const Counts& counts() const { return counts_; }

  // How long a stack waits for its tables.
  static constexpr absl::Duration kMaxWait = absl::Seconds(2);
  static constexpr std::size_t kMaxBytes = std::size_t{4} << 20;

 private:
  struct Stack {
    SamplerKind sampler;
    ProcessPtr process;
    // Stays when the process gets another image.
    std::shared_ptr<PublishedImage> image;
    std::uint64_t start_ticks = 0;
    std::uint32_t tid = 0;
    std::string comm;
    stoker_wait wait = STOKER_WAIT_NONE;
    std::uint64_t value = 0;
    std::vector<__u64> kernel;
    stoker_registers registers{};
    std::uint64_t stack_address = 0;
    std::vector<std::uint8_t> bytes;
    absl::Duration deadline;
    // When it is tried again, unless the walker comes to know more before.
    std::uint64_t version = 0;
    absl::Duration next_try;
  };
  // True when nothing would be gained by waiting longer.
  bool Unwind(Stack& stack, absl::Duration now, std::vector<__u64>& frames, stoker_stop& stop);

  ProcessTable& processes_;
  Publisher& publisher_;
  const Deliver deliver_;
  std::vector<Stack> stacks_;
  std::size_t bytes_ = 0;
  Counts counts_;
};

}  // namespace stoker::ebpf::walker
