#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "services/collector/ebpf/binary.h"
#include "services/collector/ebpf/unwind/table.h"
#include "services/collector/ebpf/unwind/table_folder.h"
#include "services/common/runtime/bounded_queue.h"
#include "services/common/sandbox/sandbox.h"

namespace stoker::ebpf::unwind {

// Gives binaries their unwind tables: from memory, where another binary of the same content has it;
// from the folder; else made in a sandbox. One after the other, on a thread of its own. What cannot
// have a table is remembered and not tried again. Thread-safe.
class TableCache {
 public:
  struct Options {
    // Made if need be; see TableFolder.
    std::string folder;
    std::uint64_t max_folder_bytes = std::uint64_t{256} << 20;
    // Called on the cache's thread when TakeReady has something new; may be empty.
    std::function<void()> on_ready;
  };

  // Borrows `sandbox`, whose workers know kTableJob and have kTableWorkerBytes: best one of its
  // own, so that nothing else waits for large files.
  TableCache(Options options, sandbox::Sandbox& sandbox);
  // Waits for the table that is being made.
  ~TableCache();

  // Asks for the table of `binary`, which is kept until it is answered. Each request is answered
  // once.
  void Request(BinaryPtr binary);

  struct Ready {
    BinaryPtr binary;
    // Null: there is none.
    std::shared_ptr<const Table> table;
    // Why there is none.
    std::string reason;
  };
  // What has become ready since the last call.
  std::vector<Ready> TakeReady();

  struct Counts {
    // Tables by where they came from.
    std::uint64_t from_memory = 0;
    std::uint64_t from_folder = 0;
    std::uint64_t made = 0;
    // Requests that got a reason instead.
    std::uint64_t refused = 0;
    // Tables that were made but not kept on disk.
    std::uint64_t not_stored = 0;
    std::uint64_t folder_bytes = 0;
    std::uint64_t folder_removed = 0;
  };
  [[nodiscard]] Counts counts() const;

 private:
  // A binary that got no table.
  struct Failure {
    std::string reason;
    int times = 0;
  };

  void Run();
  absl::StatusOr<std::shared_ptr<const Table>> Find(const Binary& binary);
  absl::StatusOr<std::shared_ptr<const Table>> Make(const Binary& binary, const std::string& name);
  void Remember(const std::string& name, const absl::Status& status);
  void Count(std::uint64_t Counts::* count);

  const Options options_;
  sandbox::Sandbox& sandbox_;
  runtime::BoundedQueue<BinaryPtr> requests_;
  // Of the thread.
  TableFolder folder_;
  std::map<std::string, std::weak_ptr<const Table>> loaded_;
  std::map<std::string, Failure> failures_;
  std::list<std::string> failure_order_;

  mutable absl::Mutex mutex_;
  std::vector<Ready> ready_ ABSL_GUARDED_BY(mutex_);
  Counts counts_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace stoker::ebpf::unwind
