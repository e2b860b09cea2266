#include "services/discovery/process_scanner.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace stoker::discovery {
namespace {

constexpr procfs::ProcessFields kAllFields =
    procfs::kExe | procfs::kCwd | procfs::kCommandline | procfs::kCgroup | procfs::kUid;

// After a fork follow exec, setuid and a move to another cgroup; then little changes.
constexpr std::array<absl::Duration, 2> kEarlyReads = {absl::Milliseconds(700), absl::Seconds(5)};

// When to read a process again that was read `reads` times. The first regular turn comes after a
// part of the interval that depends on the pid, so that turns spread over the whole interval.
absl::Duration UntilNextRead(pid_t pid, int reads, absl::Duration refresh_interval) {
  const auto early = static_cast<std::size_t>(reads - 1);
  if (early < kEarlyReads.size()) return std::min(kEarlyReads[early], refresh_interval);
  if (early > kEarlyReads.size()) return refresh_interval;
  constexpr std::uint32_t kGoldenRatio = 2654435769;
  const std::uint32_t spread = static_cast<std::uint32_t>(pid) * kGoldenRatio;
  return refresh_interval * (spread * 0x1.0p-32);
}

}  // namespace

absl::StatusOr<HostProcessesPtr> ProcessScanner::Scan(absl::Duration now,
                                                      absl::Duration refresh_interval) {
  const auto entries = reader_.List();
  if (!entries.ok()) return entries.status();
  ++scan_;
  counts_.read = 0;
  bool changed = list_ == nullptr;
  for (const procfs::ProcessReader::Entry& entry : *entries) {
    Known& known = known_[entry.pid];
    known.scan = scan_;
    if (known.inode == entry.inode && now < known.next_read) continue;
    if (known.inode != entry.inode) known.reads = 0;
    known.inode = entry.inode;
    changed |= Refresh(entry.pid, known);
    known.next_read = now + UntilNextRead(entry.pid, ++known.reads, refresh_interval);
  }
  changed |= ForgetEnded();
  if (changed) list_ = MakeList();
  return list_;
}

bool ProcessScanner::Refresh(pid_t pid, Known& known) {
  ++counts_.read;
  absl::StatusOr<procfs::Process> process = reader_.Read(pid, kAllFields);
  if (!process.ok()) {
    if (!absl::IsNotFound(process.status())) ++counts_.failed;
    return std::exchange(known.process, nullptr) != nullptr;
  }
  const bool has_uid = (process->missing & procfs::kUid) == 0;
  HostProcess read{*std::move(process), {}};
  if (has_uid) read.username = user_name_of_(read.process.uid);
  if (known.process != nullptr && *known.process == read) return false;
  known.process = std::make_shared<const HostProcess>(std::move(read));
  return true;
}

bool ProcessScanner::ForgetEnded() {
  bool changed = false;
  for (auto it = known_.begin(); it != known_.end();) {
    if (it->second.scan == scan_) {
      ++it;
      continue;
    }
    changed |= it->second.process != nullptr;
    it = known_.erase(it);
  }
  return changed;
}

HostProcessesPtr ProcessScanner::MakeList() {
  auto list = std::make_shared<HostProcesses>();
  list->reserve(known_.size());
  counts_.denied = 0;
  for (const auto& [pid, known] : known_) {
    if (known.process == nullptr) continue;
    if (known.process->process.denied != 0) ++counts_.denied;
    list->push_back(known.process);
  }
  std::sort(list->begin(), list->end(),
            [](const auto& a, const auto& b) { return a->process.key.pid < b->process.key.pid; });
  return list;
}

}  // namespace stoker::discovery
