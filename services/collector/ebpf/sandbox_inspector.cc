#include "services/collector/ebpf/sandbox_inspector.h"

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "services/collector/ebpf/open_in_time.h"
#include "services/collector/ebpf/open_mapped_file.h"
#include "services/common/base/status.h"
#include "services/common/elf/inspect.h"
#include "services/common/log/log.h"

namespace stoker::ebpf {
namespace {

// What reading one file may cost.
constexpr absl::Duration kReadDeadline = absl::Milliseconds(600);
constexpr std::size_t kMaxJobs = 65'536;
constexpr std::size_t kMaxKnown = 1024;

BinaryPtr Unreadable(const absl::Status& status) {
  auto binary = std::make_shared<Binary>();
  binary->unreadable_reason = Message(status);
  return binary;
}

// A mapping's path as the process has it. Of a process that only changed its root the kernel gives
// paths from our root; of one in a mount namespace of its own it gives the process' own.
std::string PathInRoot(std::uint32_t pid, const std::string& path) {
  std::error_code error;
  const std::string root = std::filesystem::read_symlink(fmt::format("/proc/{}/root", pid), error);
  const bool below = !error && root.size() > 1 && path.starts_with(root + "/");
  return below ? path.substr(root.size()) : path;
}

}  // namespace

SandboxInspector::SandboxInspector(sandbox::Sandbox& sandbox, BinaryStore& store)
    : sandbox_(sandbox), store_(store), jobs_(kMaxJobs), thread_([this] { Run(); }) {}

SandboxInspector::~SandboxInspector() {
  jobs_.Close();
  thread_.join();
}

void SandboxInspector::Request(std::uint64_t ticket, std::uint32_t pid,
                               const procfs::ExecutableMapping& mapping) {
  if (jobs_.TryPush(Job{ticket, pid, mapping})) return;
  absl::MutexLock lock(&mutex_);
  answers_.push_back({ticket, Unreadable(ResourceExhausted("too many files wait to be read"))});
}

std::vector<BinaryInspector::Answer> SandboxInspector::TakeAnswers() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(answers_, {});
}

void SandboxInspector::Run() {
  while (!jobs_.drained()) {
    const auto job = jobs_.Pop(absl::Seconds(1));
    if (!job) continue;
    BinaryPtr binary = Find(*job);
    absl::MutexLock lock(&mutex_);
    answers_.push_back({job->ticket, std::move(binary)});
  }
}

BinaryPtr SandboxInspector::Find(const Job& job) {
  if (job.mapping.path == "[vdso]") {
    if (vdso_ == nullptr) {
      absl::StatusOr<UniqueFd> fd = OpenVdso();
      vdso_ = fd.ok() ? Inspect(*std::move(fd), nullptr, {}) : Unreadable(fd.status());
    }
    return vdso_;
  }
  absl::StatusOr<UniqueFd> fd =
      OpenInTime([pid = job.pid, mapping = job.mapping] { return OpenMappedFile(pid, mapping); });
  if (!fd.ok()) return Unreadable(fd.status());
  struct stat status{};
  if (fstat(fd->get(), &status) != 0) return Unreadable(ErrnoError(errno, "stat"));
  const FileId id(status.st_dev, status.st_ino, status.st_size,
                  absl::ToUnixNanos(absl::TimeFromTimespec(status.st_mtim)),
                  absl::ToUnixNanos(absl::TimeFromTimespec(status.st_ctim)));
  if (const auto known = known_.find(id); known != known_.end()) return known->second;
  BinaryPtr binary =
      Inspect(*std::move(fd), OpenRoot(job.pid), PathInRoot(job.pid, job.mapping.path));
  known_.emplace(id, binary);
  order_.push_back(id);
  if (order_.size() > kMaxKnown) {
    known_.erase(order_.front());
    order_.pop_front();
  }
  return binary;
}

// Processes of one container share a root, and so do their binaries.
std::shared_ptr<const UniqueFd> SandboxInspector::OpenRoot(std::uint32_t pid) {
  UniqueFd fd(open(fmt::format("/proc/{}/root", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat status{};
  if (!fd.valid() || fstat(fd.get(), &status) != 0) return nullptr;
  std::erase_if(roots_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<const UniqueFd>& known = roots_[{status.st_dev, status.st_ino}];
  std::shared_ptr<const UniqueFd> root = known.lock();
  if (root == nullptr) known = root = std::make_shared<const UniqueFd>(std::move(fd));
  return root;
}

std::shared_ptr<const PythonRuntime> SandboxInspector::FindPython(int fd, const std::string& path) {
  auto runtime = FindPythonRuntimeInSandbox(sandbox_, fd, kReadDeadline);
  if (runtime.ok()) return *std::move(runtime);
  if (refused_.size() < kMaxKnown &&
      refused_.insert(std::string(Message(runtime.status()))).second) {
    log::Warn("stacks of this Python stay native", {{"path", path}, {"error", runtime.status()}});
  }
  return nullptr;
}

BinaryPtr SandboxInspector::Inspect(UniqueFd fd, std::shared_ptr<const UniqueFd> root,
                                    const std::string& path) {
  absl::StatusOr<elf::Inspection> inspection =
      elf::InspectInSandbox(sandbox_, fd.get(), kReadDeadline);
  if (!inspection.ok()) return Unreadable(inspection.status());
  auto binary = std::make_shared<Binary>();
  binary->fd = std::move(fd);
  binary->inspection = *std::move(inspection);
  binary->python = FindPython(binary->fd.get(), path);
  binary->root = std::move(root);
  binary->path = path;
  store_.Add(binary);
  return binary;
}

}  // namespace stoker::ebpf
