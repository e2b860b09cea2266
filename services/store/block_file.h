#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "services/common/base/unique_fd.h"

namespace stoker::store {

// A file of numbered sections, each compressed with zstd and checksummed: first the sections, then
// their table, then where the table is. Written once, whole or not at all.
class BlockFileWriter {
 public:
  // Appends a section; returns its number, counted from 0.
  std::uint32_t Add(std::string_view content);

  // Writes the file under a name of its own, syncs it and moves it to `path`.
  absl::StatusOr<std::uint64_t> Write(const std::string& path) &&;

 private:
  std::string bytes_;
  // Table of sections: varints of compressed size, size and checksum.
  std::string table_;
  std::uint32_t sections_ = 0;
};

// Reads sections of such a file. Thread-safe.
class BlockFile {
 public:
  // DATA_LOSS for a file that BlockFileWriter did not finish.
  static absl::StatusOr<std::unique_ptr<BlockFile>> Open(const std::string& path);

  [[nodiscard]] std::size_t sections() const { return sections_.size(); }
  // The content of a section; DATA_LOSS where it is damaged.
  [[nodiscard]] absl::StatusOr<std::string> Read(std::size_t section) const;

 private:
  struct Section {
    std::uint64_t offset = 0;
    std::uint64_t compressed_size = 0;
    std::uint64_t size = 0;
    std::uint64_t checksum = 0;
  };

  BlockFile() = default;
  absl::Status ReadTable();
  [[nodiscard]] absl::StatusOr<std::string> ReadAt(std::uint64_t offset, std::uint64_t size) const;

  std::string path_;
  UniqueFd fd_;
  std::uint64_t size_ = 0;
  std::vector<Section> sections_;
};

}  // namespace stoker::store
