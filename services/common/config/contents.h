#pragma once

#include <cstddef>
#include <string>

#include <absl/status/statusor.h>

#include "services/common/config/components/local_file.h"
#include "services/common/config/components/remote_http.h"

namespace stoker::config {

// Of what a local.file or a remote.http exports.
inline constexpr std::size_t kMaxContentBytes = std::size_t{4} << 20;

// What the local.file and remote.http components export. Each is one instance a process, shared by
// all expressions that use it. Thread-safe.
class Contents {
 public:
  virtual ~Contents() = default;

  // The content now, or the last one where reading failed since; an error where it never worked.
  virtual absl::StatusOr<std::string> Read(const std::string& component_id,
                                           const LocalFile& file) = 0;
  virtual absl::StatusOr<std::string> Read(const std::string& component_id,
                                           const RemoteHttp& remote) = 0;
};

}  // namespace stoker::config
