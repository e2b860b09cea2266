#include "services/collector/ebpf/stack_counter.h"

#include <utility>

namespace stoker::ebpf {
namespace {

template <typename T>
void Append(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace

bool StackCounter::Add(const ProcessPtr& process, const RawSample& sample,
                       std::string_view thread_name) {
  key_.clear();
  Append(key_, process.get());
  Append(key_, process->image.get());
  Append(key_, sample.stop);
  Append(key_, sample.wait);
  Append(key_, sample.kernel.size());
  Append(key_, sample.user.size());
  for (const auto frames : {sample.kernel, sample.user}) {
    key_.append(reinterpret_cast<const char*>(frames.data()), frames.size_bytes());
  }
  key_.append(thread_name);
  auto found = stacks_.find(key_);
  if (found == stacks_.end()) {
    if (stacks_.size() >= kMaxStacks) return false;
    found = stacks_
                .emplace(key_, Stack{.process = process,
                                     .image = process->image,
                                     .stop = sample.stop,
                                     .kernel = {sample.kernel.begin(), sample.kernel.end()},
                                     .user = {sample.user.begin(), sample.user.end()},
                                     .wait = sample.wait,
                                     .thread_name = std::string(thread_name)})
                .first;
  }
  ++found->second.count;
  found->second.value += sample.value;
  ++samples_;
  return true;
}

std::vector<StackCounter::Stack> StackCounter::Take() {
  std::vector<Stack> stacks;
  stacks.reserve(stacks_.size());
  for (auto& [key, stack] : stacks_) stacks.push_back(std::move(stack));
  stacks_.clear();
  samples_ = 0;
  return stacks;
}

}  // namespace stoker::ebpf
