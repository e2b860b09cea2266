#include "services/common/testing/mem_env.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "services/common/base/status.h"

namespace stoker::testing {
namespace {

constexpr std::size_t kBlockBytes = 4096;

std::string Folder(const std::string& path) { return path.substr(0, path.rfind('/')); }

// What of `contents` a power cut leaves, when only the first `durable` bytes were synced.
std::string Tear(const std::string& contents, std::size_t durable, Random& random) {
  const std::size_t unsynced = contents.size() - durable;
  std::string left = contents.substr(0, durable + random.Next() % (unsynced + 1));
  for (std::size_t at = durable; at < left.size();) {
    const std::size_t end = std::min(left.size(), (at / kBlockBytes + 1) * kBlockBytes);
    if (random.Next() % 2 == 0) std::memset(left.data() + at, 0, end - at);
    at = end;
  }
  return left;
}

}  // namespace

class MemFile final : public File {
 public:
  MemFile(MemEnv& env, std::shared_ptr<MemEnv::Node> node) : env_(env), node_(std::move(node)) {}

  absl::Status Append(std::string_view data) override { return env_.Append(*node_, data); }
  absl::StatusOr<std::size_t> Read(std::uint64_t offset, std::size_t size, char* to) override {
    absl::MutexLock lock(&env_.mutex_);
    STOKER_RETURN_IF_ERROR(env_.Call());
    if (offset >= node_->contents.size()) return 0;
    const std::size_t got = std::min<std::size_t>(size, node_->contents.size() - offset);
    std::memcpy(to, node_->contents.data() + offset, got);
    return got;
  }
  absl::Status Sync() override { return env_.Sync(*node_); }
  absl::StatusOr<std::uint64_t> Size() override {
    absl::MutexLock lock(&env_.mutex_);
    STOKER_RETURN_IF_ERROR(env_.Call());
    return node_->contents.size();
  }
  absl::Status Allocate(std::uint64_t bytes) override {
    return env_.Append(*node_, std::string(bytes, '\0'));
  }

 private:
  MemEnv& env_;
  const std::shared_ptr<MemEnv::Node> node_;
};

class MemLock final : public FileLock {
 public:
  MemLock(MemEnv& env, std::string path) : env_(env), path_(std::move(path)) {}
  ~MemLock() override {
    absl::MutexLock lock(&env_.mutex_);
    env_.locks_.erase(path_);
  }

 private:
  MemEnv& env_;
  const std::string path_;
};

std::unique_ptr<MemEnv> MemEnv::CrashClone(Random& random) const {
  auto clone = std::make_unique<MemEnv>();
  absl::MutexLock lock(&mutex_);
  absl::MutexLock clone_lock(&clone->mutex_);
  Names all = durable_names_;
  all.insert(names_.begin(), names_.end());
  for (const auto& [path, unused] : all) {
    const Names& names = random.Next() % 2 == 0 ? names_ : durable_names_;
    const auto found = names.find(path);
    if (found == names.end()) continue;
    auto node = std::make_shared<Node>();
    node->contents = Tear(found->second->contents, found->second->durable, random);
    node->durable = node->contents.size();
    clone->names_[path] = clone->durable_names_[path] = std::move(node);
  }
  clone->capacity_ = capacity_;
  return clone;
}

void MemEnv::FailCall(std::uint64_t call, absl::Status status) {
  absl::MutexLock lock(&mutex_);
  failing_call_ = calls_ + call;
  failure_ = std::move(status);
}

std::uint64_t MemEnv::calls() const {
  absl::MutexLock lock(&mutex_);
  return calls_;
}

void MemEnv::SetCapacity(std::uint64_t bytes) {
  absl::MutexLock lock(&mutex_);
  capacity_ = bytes;
}

std::string MemEnv::Contents(const std::string& path) const {
  absl::MutexLock lock(&mutex_);
  const auto found = names_.find(path);
  return found == names_.end() ? "" : found->second->contents;
}

void MemEnv::SetContents(const std::string& path, std::string contents) {
  absl::MutexLock lock(&mutex_);
  auto node = std::make_shared<Node>();
  node->durable = contents.size();
  node->contents = std::move(contents);
  names_[path] = durable_names_[path] = std::move(node);
}

std::vector<std::string> MemEnv::Paths() const {
  absl::MutexLock lock(&mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, node] : names_) paths.push_back(path);
  return paths;
}

std::uint64_t MemEnv::UsedBytes() const {
  absl::MutexLock lock(&mutex_);
  return Used();
}

std::uint64_t MemEnv::Used() const {
  std::uint64_t bytes = 0;
  for (const auto& [path, node] : names_) bytes += node->contents.size();
  return bytes;
}

absl::Status MemEnv::Call() { return calls_++ == failing_call_ ? failure_ : absl::OkStatus(); }

absl::Status MemEnv::Append(Node& node, std::string_view data) {
  absl::MutexLock lock(&mutex_);
  absl::Status status = Call();
  if (!status.ok()) data = data.substr(0, data.size() / 2);
  const std::uint64_t used = Used();
  if (used + data.size() > capacity_) {
    data = data.substr(0, capacity_ - std::min(used, capacity_));
    status = ResourceExhausted("no space left");
  }
  node.contents.append(data);
  return status;
}

absl::Status MemEnv::Sync(Node& node) {
  absl::MutexLock lock(&mutex_);
  const absl::Status status = Call();
  node.sync_failed |= !status.ok();
  if (!node.sync_failed) node.durable = node.contents.size();
  return status;
}

absl::StatusOr<std::unique_ptr<File>> MemEnv::Create(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  STOKER_RETURN_IF_ERROR(Call());
  if (names_.contains(path)) {
    return Error(absl::StatusCode::kAlreadyExists, "{} is there already", path);
  }
  auto node = std::make_shared<Node>();
  names_[path] = node;
  return std::make_unique<MemFile>(*this, std::move(node));
}

absl::StatusOr<std::unique_ptr<File>> MemEnv::OpenForRead(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  STOKER_RETURN_IF_ERROR(Call());
  const auto found = names_.find(path);
  if (found == names_.end()) return NotFound("{} is not there", path);
  return std::make_unique<MemFile>(*this, found->second);
}

absl::Status MemEnv::Rename(const std::string& from, const std::string& to) {
  absl::MutexLock lock(&mutex_);
  STOKER_RETURN_IF_ERROR(Call());
  const auto found = names_.find(from);
  if (found == names_.end()) return NotFound("{} is not there", from);
  names_[to] = found->second;
  names_.erase(from);
  return absl::OkStatus();
}

absl::Status MemEnv::Unlink(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  STOKER_RETURN_IF_ERROR(Call());
  return names_.erase(path) == 1 ? absl::OkStatus() : NotFound("{} is not there", path);
}

absl::StatusOr<std::vector<std::string>> MemEnv::List(const std::string& folder) {
  absl::MutexLock lock(&mutex_);
  STOKER_RETURN_IF_ERROR(Call());
  std::vector<std::string> names;
  for (const auto& [path, node] : names_) {
    if (Folder(path) == folder) names.push_back(path.substr(folder.size() + 1));
  }
  return names;
}

absl::Status MemEnv::MakeFolder(const std::string&) {
  absl::MutexLock lock(&mutex_);
  return Call();
}

absl::Status MemEnv::SyncFolder(const std::string& folder) {
  absl::MutexLock lock(&mutex_);
  STOKER_RETURN_IF_ERROR(Call());
  std::erase_if(durable_names_, [&](const auto& entry) { return Folder(entry.first) == folder; });
  for (const auto& [path, node] : names_) {
    if (Folder(path) == folder) durable_names_[path] = node;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<FileLock>> MemEnv::Lock(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  STOKER_RETURN_IF_ERROR(Call());
  if (!locks_.insert(path).second) return Unavailable("{} is locked", path);
  return std::make_unique<MemLock>(*this, path);
}

absl::StatusOr<std::uint64_t> MemEnv::FreeBytes(const std::string&) {
  absl::MutexLock lock(&mutex_);
  STOKER_RETURN_IF_ERROR(Call());
  return capacity_ - std::min(capacity_, Used());
}

}  // namespace stoker::testing
