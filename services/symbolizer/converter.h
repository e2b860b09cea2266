#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>

#include "services/common/runtime/bounded_queue.h"
#include "services/common/sandbox/sandbox.h"
#include "services/symbolizer/table/table_store.h"
#include "services/symbolizer/upload.h"

namespace stoker::symbolizer {

// Makes tables of complete uploads, in sandbox workers, each on a thread of its own: one huge
// binary delays no other.
class Converter {
 public:
  // Called on a thread of the converter: OK when the table's file stands. INVALID_ARGUMENT when the
  // binary has no symbols; other errors are of the parser or the disk.
  using Done = std::function<void(absl::Status)>;

  // `store` for WriteFile only.
  Converter(sandbox::Sandbox& sandbox, const TableStore& store, const UploadFolder& folder,
            int threads);
  // Waits for conversions under way; those that wait are called back with CANCELLED.
  ~Converter();

  void Convert(std::unique_ptr<Upload> upload, const std::string& table_id, Done done);

 private:
  struct Job {
    std::unique_ptr<Upload> upload;
    std::string table_id;
    Done done;
  };
  void Run();
  absl::Status MakeTable(const Job& job);

  sandbox::Sandbox& sandbox_;
  const TableStore& store_;
  const UploadFolder& folder_;
  runtime::BoundedQueue<Job> jobs_;
  std::vector<std::thread> threads_;
};

}  // namespace stoker::symbolizer
