#include "services/common/base/status.h"

#include <cerrno>
#include <cstring>
#include <string>

namespace stoker {

absl::Status ErrnoError(int error_number, std::string_view context) {
  char buffer[128];
  const char* text = strerror_r(error_number, buffer, sizeof buffer);
  return absl::Status(absl::ErrnoToStatusCode(error_number), fmt::format("{}: {}", context, text));
}

absl::Status WithContext(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  return absl::Status(status.code(), fmt::format("{}: {}", context, Message(status)));
}

std::string_view Message(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

}  // namespace stoker
