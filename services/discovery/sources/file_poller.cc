#include "services/discovery/sources/file_poller.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <utility>

#include <absl/strings/ascii.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/common/base/status.h"

namespace stoker::discovery {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{64} << 20;

// The paths that a pattern stands for. A name may begin with a dot, as in Go's filepath.Glob.
std::vector<std::string> Expand(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (glob(pattern.c_str(), GLOB_PERIOD, nullptr, &found) == 0) {
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  globfree(&found);
  return paths;
}

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

std::int64_t Nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

FilePoller::FilePoller(const config::DiscoveryFile& arguments, std::string component_id,
                       metrics::Registry& metrics)
    : arguments_(arguments),
      component_id_(std::move(component_id)),
      metrics_(metrics),
      read_errors_(metrics.Counter("prometheus_sd_file_read_errors_total",
                                   "Files of discovery.file that could not be read or parsed.")),
      watch_errors_(metrics.Counter("prometheus_sd_file_watcher_errors_total",
                                    "Folders of discovery.file that could not be watched.")) {}

void FilePoller::OnStart(std::function<void()> ask_soon) {
  watcher_ = std::make_unique<DirectoryWatcher>(std::move(ask_soon));
}

absl::StatusOr<model::TargetVector> FilePoller::Ask() {
  // Watched first: a change after the look is told.
  std::set<std::string> folders;
  for (const std::string& pattern : arguments_.files) {
    for (std::string& folder : Expand(FolderOf(pattern))) folders.insert(std::move(folder));
  }
  if (!watcher_->Watch(folders).ok()) watch_errors_.Increment();
  std::map<std::string, File> files;
  for (const std::string& pattern : arguments_.files) {
    for (const std::string& path : Expand(pattern)) {
      if (const auto [file, is_new] = files.try_emplace(path); is_new) {
        if (const auto last = files_.find(path); last != files_.end()) {
          file->second = std::move(last->second);
        }
        Update(path, file->second);
      }
    }
  }
  files_ = std::move(files);
  // Nothing is known yet, which is not to be taken for an empty list.
  if (absl::Status missing = Missing(); !missing.ok() && !KnowsAny()) return missing;
  std::vector<KeptTargets::Found> found;
  for (const auto& [path, file] : files_) {
    for (std::size_t i = 0; i < file.groups.size(); ++i) {
      for (const std::string& address : file.groups[i].addresses) {
        model::Labels labels = file.groups[i].labels;
        labels.Set("__address__", address);
        found.push_back({fmt::format("{}/{}/{}", path, i, address), std::move(labels)});
      }
    }
  }
  return targets_.Make(std::move(found));
}

absl::Status FilePoller::Missing() {
  std::string reasons;
  for (const auto& [path, file] : files_) {
    if (file.status.ok()) continue;
    if (!reasons.empty()) reasons += "; ";
    reasons += Message(file.status);
  }
  return reasons.empty() ? absl::OkStatus() : InvalidArgument("{}", reasons);
}

bool FilePoller::KnowsAny() const {
  return std::ranges::any_of(files_, [](const auto& entry) { return entry.second.was_good; });
}

void FilePoller::Update(const std::string& path, File& file) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat found{};
  if (!fd.valid() || fstat(fd.get(), &found) != 0) {
    file.version = {};
    file.status = ErrnoError(errno, path);
    return read_errors_.Increment();
  }
  const Version version{found.st_dev, found.st_ino, found.st_size, Nanoseconds(found.st_mtim),
                        Nanoseconds(found.st_ctim)};
  if (version == file.version) return;
  if (file.modified == nullptr) {
    file.modified = metrics_.MakeOwnedGauge("prometheus_sd_file_mtime_seconds",
                                            "When a file of discovery.file was written last.",
                                            {{"filename", path}, {"config", component_id_}});
  }
  file.modified->Set(static_cast<double>(version.modified_ns) / 1e9);
  absl::StatusOr<std::vector<TargetGroup>> groups = Read(path, fd.get());
  file.version = version;
  file.status = WithContext(groups.status(), path);
  if (!groups.ok()) return read_errors_.Increment();
  for (TargetGroup& group : *groups) group.labels.Set("__meta_filepath", path);
  file.groups = *std::move(groups);
  file.was_good = true;
}

absl::StatusOr<std::vector<TargetGroup>> FilePoller::Read(const std::string& path, int fd) {
  std::string text;
  std::vector<char> buffer(std::size_t{64} << 10);
  ssize_t size = 0;
  while ((size = read(fd, buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(size));
    if (text.size() > kMaxFileBytes) {
      return ResourceExhausted("larger than {} bytes", kMaxFileBytes);
    }
  }
  if (size < 0) return ErrnoError(errno, "read");
  const std::string extension =
      absl::AsciiStrToLower(std::filesystem::path(path).extension().string());
  return extension == ".json" ? ParseJsonGroups(text) : ParseYamlGroups(text);
}

}  // namespace stoker::discovery
