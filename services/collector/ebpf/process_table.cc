#include "services/collector/ebpf/process_table.h"

#include <algorithm>
#include <utility>

#include "bpf/shared/interpreter_frame.h"

namespace stoker::ebpf {
namespace {

// Distance between reads of one process that find nothing new: doubles from the first to the last.
constexpr absl::Duration kFirstWait = absl::Milliseconds(100);
constexpr int kMaxDoublings = 8;
// After so many of them an address in no mapping is taken for one that is nowhere.
constexpr int kPatientReads = 2;
// What a process that ended is kept for: its samples may still be on their way.
constexpr absl::Duration kGrace = absl::Seconds(2);
// A process that was not sampled for so long is read anew when it is.
constexpr absl::Duration kIdle = absl::Minutes(10);

}  // namespace

Image::Image(std::vector<procfs::ExecutableMapping> mappings, const Image& before) {
  mappings_.reserve(mappings.size());
  for (procfs::ExecutableMapping& place : mappings) {
    const Mapping* old = before.Find(place.start);
    auto slot = old != nullptr && old->place == place ? old->slot : std::make_shared<Slot>();
    mappings_.push_back({.place = std::move(place), .slot = std::move(slot)});
  }
}

const Image::Mapping* Image::Find(std::uint64_t address) const {
  auto after = std::upper_bound(
      mappings_.begin(), mappings_.end(), address,
      [](std::uint64_t at, const Mapping& mapping) { return at < mapping.place.start; });
  if (after == mappings_.begin()) return nullptr;
  --after;
  return address < after->place.end ? &*after : nullptr;
}

ProcessPtr ProcessTable::Find(const RawSample& sample, absl::Duration now) {
  const procfs::ProcessKey key{static_cast<pid_t>(sample.pid), sample.start_ticks};
  ProcessPtr& process = processes_[sample.pid];
  if (process == nullptr || process->key != key) {
    if (process != nullptr) process->published.reset();
    process = std::make_shared<Process>(Process{.key = key, .next_read = now});
  }
  process->last_sample = now;
  // A kernel thread has nothing to read, but belongs to a target all the same.
  const bool stale = process->image == nullptr || HasUnknown(*process->image, sample.user);
  if (stale && !process->exited && now >= process->next_read) Read(*process, now);
  if (process->image == nullptr) return process;
  for (const __u64 address : sample.user) {
    if ((address & STOKER_INTERPRETED) != 0) continue;
    const Image::Mapping* mapping = process->image->Find(address);
    if (mapping != nullptr) RequestBinary(process, *mapping);
  }
  return process;
}

bool ProcessTable::Need(const ProcessPtr& process, std::uint64_t address, absl::Duration now) {
  const Image::Mapping* mapping =
      process->image == nullptr ? nullptr : process->image->Find(address);
  if (mapping == nullptr && !process->exited && now >= process->next_read) {
    Read(*process, now);
    if (process->image != nullptr) mapping = process->image->Find(address);
  }
  // It may be read again soon, unless that was in vain before.
  if (mapping == nullptr) return !process->exited && process->fruitless_reads < kPatientReads;
  RequestBinary(process, *mapping);
  return true;
}

void ProcessTable::Read(Process& process, absl::Duration now) {
  ++counts_.reads;
  const auto snapshot = source_.Read(static_cast<std::uint32_t>(process.key.pid));
  if (!snapshot || snapshot->start_ticks != process.key.start_ticks) {
    if (process.image == nullptr && !process.missed) {
      process.missed = true;
      ++counts_.missed;
    }
    process.exited = true;
    return;
  }
  process.container_id = snapshot->container_id;
  static const Image kNone;
  const Image& before = process.image == nullptr ? kNone : *process.image;
  auto image = std::make_shared<const Image>(snapshot->mappings, before);
  const bool changed = !std::ranges::equal(image->mappings(), before.mappings(), {},
                                           &Image::Mapping::place, &Image::Mapping::place);
  process.fruitless_reads = changed ? 0 : std::min(process.fruitless_reads + 1, kMaxDoublings);
  process.next_read = now + kFirstWait * (1 << process.fruitless_reads);
  // An image that did not change keeps its identity: equal stacks stay equal.
  if (changed || process.image == nullptr) process.image = std::move(image);
}

bool ProcessTable::HasUnknown(const Image& image, std::span<const __u64> stack) {
  return std::ranges::any_of(stack, [&](__u64 address) {
    // Words of interpreted frames are no addresses.
    return (address & STOKER_INTERPRETED) == 0 && image.Find(address) == nullptr;
  });
}

void ProcessTable::RequestBinary(const ProcessPtr& process, const Image::Mapping& mapping) {
  if (mapping.slot->requested) return;
  mapping.slot->requested = true;
  const bool has_bytes = mapping.place.inode != 0 || mapping.place.path == "[vdso]";
  if (!has_bytes) return;
  open_.emplace(next_ticket_, Question{mapping.slot, process});
  inspector_.Request(next_ticket_++, static_cast<std::uint32_t>(process->key.pid), mapping.place);
}

void ProcessTable::OnExec(std::uint32_t pid) {
  const auto found = processes_.find(pid);
  if (found == processes_.end()) return;
  // Samples of it may be kept longer; the walker is not to take it for the new image.
  found->second->published.reset();
  processes_.erase(found);
}

void ProcessTable::OnExit(std::uint32_t pid) {
  const auto found = processes_.find(pid);
  if (found != processes_.end()) found->second->exited = true;
}

std::vector<ProcessPtr> ProcessTable::Update() {
  std::vector<ProcessPtr> changed;
  for (BinaryInspector::Answer& answer : inspector_.TakeAnswers()) {
    const auto open = open_.find(answer.ticket);
    if (open == open_.end()) continue;
    if (!answer.binary->unreadable_reason.empty()) ++counts_.unreadable;
    open->second.slot->binary = std::move(answer.binary);
    ProcessPtr process = open->second.process.lock();
    const auto& python = open->second.slot->binary->python;
    // The layout lives as long as the runtime that it is a part of.
    if (process != nullptr && process->python == nullptr && python != nullptr) {
      process->python = {python, &python->code};
    }
    if (process != nullptr && (changed.empty() || changed.back() != process)) {
      changed.push_back(std::move(process));
    }
    open_.erase(open);
  }
  return changed;
}

void ProcessTable::Sweep(absl::Duration now) {
  std::erase_if(processes_, [&](const auto& entry) {
    Process& process = *entry.second;
    const bool over = now - process.last_sample > (process.exited ? kGrace : kIdle);
    if (over) process.published.reset();
    return over;
  });
  if (processes_.size() <= kMaxProcesses) return;
  std::vector<std::pair<absl::Duration, std::uint32_t>> by_age;
  for (const auto& [pid, process] : processes_) by_age.emplace_back(process->last_sample, pid);
  std::ranges::sort(by_age);
  by_age.resize(by_age.size() - kMaxProcesses);
  for (const auto& [last_sample, pid] : by_age) {
    processes_.at(pid)->published.reset();
    processes_.erase(pid);
  }
}

}  // namespace stoker::ebpf
