#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "services/collector/ebpf/binary.h"
#include "services/collector/ebpf/binary_store.h"
#include "services/common/runtime/bounded_queue.h"
#include "services/common/sandbox/sandbox.h"

namespace stoker::ebpf {

// Opens the files behind mappings and has them read in a sandbox, one after the other, on a thread
// of its own. A file that cannot be opened or read within a second is given up: its mapping has no
// binary, and nothing else waits for it. Each content is read once. Thread-safe.
class SandboxInspector final : public BinaryInspector {
 public:
  // Borrows both. Binaries that could be read are put into `store`.
  SandboxInspector(sandbox::Sandbox& sandbox, BinaryStore& store);
  ~SandboxInspector() override;

  void Request(std::uint64_t ticket, std::uint32_t pid,
               const procfs::ExecutableMapping& mapping) override;
  std::vector<Answer> TakeAnswers() override;

 private:
  struct Job {
    std::uint64_t ticket = 0;
    std::uint32_t pid = 0;
    procfs::ExecutableMapping mapping;
  };
  // What tells a file's content without reading it.
  using FileId = std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::int64_t, std::int64_t>;

  void Run();
  BinaryPtr Find(const Job& job);
  BinaryPtr Inspect(UniqueFd fd, std::shared_ptr<const UniqueFd> root, const std::string& path);
  std::shared_ptr<const PythonRuntime> FindPython(int fd, const std::string& path);
  std::shared_ptr<const UniqueFd> OpenRoot(std::uint32_t pid);

  sandbox::Sandbox& sandbox_;
  BinaryStore& store_;
  runtime::BoundedQueue<Job> jobs_;
  // Of the thread. By file, the newest kMaxKnown.
  std::map<FileId, BinaryPtr> known_;
  std::list<FileId> order_;
  BinaryPtr vdso_;
  // Why Pythons are not supported, said once each.
  std::set<std::string> refused_;
  // By device and inode, as long as a binary holds them.
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::weak_ptr<const UniqueFd>> roots_;

  absl::Mutex mutex_;
  std::vector<Answer> answers_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace stoker::ebpf
