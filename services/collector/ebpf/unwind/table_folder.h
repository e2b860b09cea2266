#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "proto/symbol/v1/symbol.pb.h"
#include "services/collector/ebpf/unwind/table.h"

namespace stoker::ebpf::unwind {

// Tables on disk, a file for each binary, named by its key and by the version of what makes them.
// Past the limit the one that was used longest ago goes. Files are complete or absent (rename), and
// checked whenever they are opened: nothing is lost with one, so nothing is synced. One thread.
class TableFolder {
 public:
  // Does nothing until the first call of Open, Store or bytes.
  TableFolder(std::string path, std::uint64_t max_bytes)
      : path_(std::move(path)), max_bytes_(max_bytes) {}

  // The name of a binary's file.
  static std::string NameOf(const symbol::v1::BinaryKey& key);

  // The table of that name. NOT_FOUND where there is none; one that does not hold together is
  // removed.
  absl::StatusOr<std::shared_ptr<const Table>> Open(const std::string& name);

  // Keeps the table that `fd` holds, all of it, under that name.
  absl::Status Store(const std::string& name, int fd);

  // Of all tables.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  // Tables removed for others.
  [[nodiscard]] std::uint64_t removed() const { return removed_; }

 private:
  struct File {
    std::uint64_t bytes = 0;
    // Nanoseconds since 1970.
    std::int64_t used = 0;
  };

  // Learns what a former process left there.
  void Scan();
  void Remove(const std::string& name);
  void MakeRoom(std::uint64_t bytes);
  [[nodiscard]] std::string PathOf(const std::string& name) const { return path_ + "/" + name; }

  const std::string path_;
  const std::uint64_t max_bytes_;
  bool scanned_ = false;
  std::map<std::string, File> files_;
  std::uint64_t bytes_ = 0;
  std::uint64_t removed_ = 0;
};

}  // namespace stoker::ebpf::unwind
