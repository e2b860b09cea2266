#include "services/collector/ebpf/walker/deferred_stacks.h"

#include <utility>

#include "services/collector/ebpf/walker/stack_walk.h"

namespace stoker::ebpf::walker {
namespace {

// Pages that one stack may bring in at once.
constexpr int kMaxFills = 1024;
// Mappings are read again at such distances, and memory becomes free.
constexpr absl::Duration kRetry = absl::Milliseconds(50);

}  // namespace

void DeferredStacks::Add(const SamplerKind& sampler, const ProcessPtr& process,
                         const RawSample& sample, absl::Duration now) {
  const RawStack& raw = *sample.deferred;
  ++counts_.taken;
  if (bytes_ + raw.bytes.size() > kMaxBytes) {
    ++counts_.refused;
    RawSample given_up = sample;
    given_up.user = std::span(&raw.registers.ip, 1);
    given_up.stop = STOKER_STOP_TABLE_ABSENT;
    deliver_(sampler, process, given_up);
    return;
  }
  bytes_ += raw.bytes.size();
  stacks_.push_back({.sampler = sampler,
                     .process = process,
                     .image = process->published,
                     .start_ticks = sample.start_ticks,
                     .tid = sample.tid,
                     .comm = std::string(sample.comm),
                     .wait = sample.wait,
                     .value = sample.value,
                     .kernel = {sample.kernel.begin(), sample.kernel.end()},
                     .registers = raw.registers,
                     .stack_address = raw.address,
                     .bytes = {raw.bytes.begin(), raw.bytes.end()},
                     .deadline = now + kMaxWait});
}

void DeferredStacks::Run(absl::Duration now, bool all) {
  std::vector<Stack> waiting;
  for (Stack& stack : std::exchange(stacks_, {})) {
    const bool last = all || now >= stack.deadline;
    if (!last && now < stack.next_try && stack.version == publisher_.version()) {
      waiting.push_back(std::move(stack));
      continue;
    }
    stack.version = publisher_.version();
    stack.next_try = now + kRetry;
    std::vector<__u64> frames = {stack.registers.ip};
    stoker_stop stop = STOKER_STOP_PROCESS_ABSENT;
    const bool done = Unwind(stack, now, frames, stop);
    if (!done && !last) {
      waiting.push_back(std::move(stack));
      continue;
    }
    bytes_ -= stack.bytes.size();
    if (!LacksTables(stop)) ++counts_.unwound;
    deliver_(stack.sampler, stack.process,
             {.pid = static_cast<std::uint32_t>(stack.process->key.pid),
              .start_ticks = stack.start_ticks,
              .tid = stack.tid,
              .comm = stack.comm,
              .stop = stop,
              .wait = stack.wait,
              .value = stack.value,
              .kernel = stack.kernel,
              .user = frames});
  }
  // Delivering takes no samples in, but be sure to lose none.
  for (Stack& stack : stacks_) waiting.push_back(std::move(stack));
  stacks_ = std::move(waiting);
}

bool DeferredStacks::Unwind(Stack& stack, absl::Duration now, std::vector<__u64>& frames,
                            stoker_stop& stop) {
  // Nothing is known of a process that ended too soon.
  if (stack.image == nullptr) return stack.process->exited || stack.process->missed;
  if (!stack.image->value()) return false;
  for (int fills = 0; fills < kMaxFills; ++fills) {
    StackWalk walk = WalkStack(publisher_.memory(), *stack.image->value(), stack.registers,
                               {.address = stack.stack_address, .bytes = stack.bytes});
    frames = std::move(walk.frames);
    stop = walk.stop;
    // What is not in the copy is not known to be unreadable, but it is not here.
    if (!LacksTables(stop) && stop != STOKER_STOP_NO_MAPPING) return true;
    const bool asked = processes_.Need(stack.process, walk.last_address, now);
    if (stack.process->published == stack.image && stack.process->image != stack.image->image()) {
      publisher_.Publish(*stack.process);
    }
    if (stop == STOKER_STOP_NO_MAPPING) return !asked;
    switch (publisher_.FillPage(*stack.image, walk.last_address, now)) {
      case Publisher::Fill::kThere:
        // A directory that the image's mappings do not name yet comes with the next Update.
        if (stop != STOKER_STOP_PAGE_ABSENT) return false;
        break;
      case Publisher::Fill::kLater:
        return false;
      case Publisher::Fill::kNever:
        return true;
    }
  }
  return true;
}

}  // namespace stoker::ebpf::walker
