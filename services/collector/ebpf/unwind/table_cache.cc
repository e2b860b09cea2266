#include "services/collector/ebpf/unwind/table_cache.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>

#include "services/collector/ebpf/unwind/table_job.h"
#include "services/common/base/status.h"

namespace stoker::ebpf::unwind {
namespace {

constexpr std::size_t kMaxRequests = 65'536;
constexpr std::size_t kMaxFailures = 4096;
constexpr std::size_t kMaxLoaded = 16'384;
// A worker may fail of itself; of the same file twice, it is the file.
constexpr int kMaxTries = 2;

// What making a table of a file of that size may take: a file system that does not answer costs
// others half a second.
absl::Duration DeadlineFor(std::uint64_t file_bytes) {
  const auto megabytes = static_cast<std::int64_t>(file_bytes >> 20);
  return std::min(absl::Milliseconds(500 + 20 * megabytes), absl::Seconds(10));
}

// The file that a worker has written, after which nobody can change it.
absl::Status Seal(int fd) {
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (fcntl(fd, F_ADD_SEALS, kSeals) != 0) return ErrnoError(errno, "F_ADD_SEALS");
  return absl::OkStatus();
}

bool IsOfWorker(const absl::Status& status) { return Message(status).starts_with("sandbox: "); }

}  // namespace

TableCache::TableCache(Options options, sandbox::Sandbox& sandbox)
    : options_(std::move(options)),
      sandbox_(sandbox),
      requests_(kMaxRequests),
      folder_(options_.folder, options_.max_folder_bytes),
      thread_([this] { Run(); }) {}

TableCache::~TableCache() {
  requests_.Close();
  // What still waits is not wanted any more.
  while (requests_.Pop(absl::ZeroDuration())) continue;
  thread_.join();
}

void TableCache::Request(BinaryPtr binary) {
  if (requests_.TryPush(std::move(binary))) return;
  absl::MutexLock lock(&mutex_);
  ++counts_.refused;
  ready_.push_back({std::move(binary), nullptr, "too many files wait to be read"});
}

std::vector<TableCache::Ready> TableCache::TakeReady() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(ready_, {});
}

TableCache::Counts TableCache::counts() const {
  absl::MutexLock lock(&mutex_);
  return counts_;
}

void TableCache::Run() {
  while (!requests_.drained()) {
    auto binary = requests_.Pop(absl::Seconds(1));
    if (!binary) continue;
    absl::StatusOr<std::shared_ptr<const Table>> table = Find(**binary);
    Ready ready = {.binary = *std::move(binary)};
    if (table.ok()) {
      ready.table = *std::move(table);
    } else {
      ready.reason = Message(table.status());
      Count(&Counts::refused);
    }
    {
      absl::MutexLock lock(&mutex_);
      counts_.folder_bytes = folder_.bytes();
      counts_.folder_removed = folder_.removed();
      ready_.push_back(std::move(ready));
    }
    if (options_.on_ready) options_.on_ready();
  }
}

absl::StatusOr<std::shared_ptr<const Table>> TableCache::Find(const Binary& binary) {
  if (!binary.fd.valid()) return FailedPrecondition("{}", binary.unreadable_reason);
  const std::string name = TableFolder::NameOf(binary.inspection.key());
  if (auto table = loaded_[name].lock()) {
    Count(&Counts::from_memory);
    return table;
  }
  if (loaded_.size() > kMaxLoaded) {
    std::erase_if(loaded_, [](const auto& entry) { return entry.second.expired(); });
  }
  if (const auto failure = failures_.find(name);
      failure != failures_.end() && failure->second.times >= kMaxTries) {
    return FailedPrecondition("{}", failure->second.reason);
  }
  absl::StatusOr<std::shared_ptr<const Table>> table = folder_.Open(name);
  if (table.ok()) {
    Count(&Counts::from_folder);
  } else {
    table = Make(binary, name);
    if (!table.ok()) Remember(name, table.status());
  }
  if (table.ok()) loaded_[name] = *table;
  return table;
}

absl::StatusOr<std::shared_ptr<const Table>> TableCache::Make(const Binary& binary,
                                                              const std::string& name) {
  const UniqueFd fd(memfd_create("unwind-table", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return ErrnoError(errno, "memfd_create");
  STOKER_RETURN_IF_ERROR(MakeTableInSandbox(sandbox_, binary.fd.get(), fd.get(),
                                            DeadlineFor(binary.inspection.key().size_bytes())));
  // What the worker wrote is believed as little as the file that it read.
  STOKER_RETURN_IF_ERROR(Seal(fd.get()));
  STOKER_ASSIGN_OR_RETURN(std::shared_ptr<const Table> in_memory, Table::Open(fd.get()));
  Count(&Counts::made);
  if (folder_.Store(name, fd.get()).ok()) {
    // Pages of a file on disk can be given back to the kernel; those in memory cannot.
    if (auto on_disk = folder_.Open(name); on_disk.ok()) return on_disk;
  }
  Count(&Counts::not_stored);
  return in_memory;
}

void TableCache::Remember(const std::string& name, const absl::Status& status) {
  const auto [failure, is_new] = failures_.try_emplace(name);
  failure->second.reason = Message(status);
  failure->second.times = IsOfWorker(status) ? failure->second.times + 1 : kMaxTries;
  if (!is_new) return;
  failure_order_.push_back(name);
  if (failure_order_.size() <= kMaxFailures) return;
  failures_.erase(failure_order_.front());
  failure_order_.pop_front();
}

void TableCache::Count(std::uint64_t Counts::* count) {
  absl::MutexLock lock(&mutex_);
  ++(counts_.*count);
}

}  // namespace stoker::ebpf::unwind
