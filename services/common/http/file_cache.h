#pragma once

#include <map>
#include <string>

#include <absl/status/statusor.h>
#include <sys/stat.h>

namespace stoker::http {

// Small files that are read again when they change: secrets and certificates that rotate. Not
// thread-safe.
class FileCache {
 public:
  // The whole file, at most 1 MiB. Errors name the path.
  absl::StatusOr<std::string> Read(const std::string& path);

  // The same without white space at both ends, as secrets have it.
  absl::StatusOr<std::string> ReadTrimmed(const std::string& path);

 private:
  struct Entry {
    struct stat stat{};
    std::string content;
  };
  std::map<std::string, Entry> entries_;
};

}  // namespace stoker::http
