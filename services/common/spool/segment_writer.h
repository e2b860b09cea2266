#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "services/common/base/env.h"
#include "services/common/spool/format.h"

namespace stoker::spool {

// Appends records to one segment file. After an error it is of no use: what was committed before
// stays, the rest is unknown. One thread.
class SegmentWriter {
 public:
  // Makes the file, durable as a name.
  static absl::StatusOr<std::unique_ptr<SegmentWriter>> Create(Env& env, const std::string& folder,
                                                               std::uint64_t number);

  // Takes the record into the next commit.
  void Add(const RecordHeader& header, std::string_view payload);
  // Writes what was added and, with `sync`, waits until it is durable.
  absl::Status Commit(bool sync);
  // Writes the footer. It only saves the next start work, so nothing waits for the disk.
  absl::Status Seal();

  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::shared_ptr<File>& file() const { return file_; }
  // With what is not committed yet.
  [[nodiscard]] std::uint64_t size() const { return totals_.data_end; }
  [[nodiscard]] const Footer& totals() const { return totals_; }

 private:
  SegmentWriter(std::shared_ptr<File> file, std::string path, std::uint64_t number);
  void Write();

  const std::shared_ptr<File> file_;
  const std::string path_;
  const std::uint64_t number_;
  Footer totals_;
  std::string buffer_;
  absl::Status status_;
};

}  // namespace stoker::spool
