#pragma once

#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/format.h>

// Errors cross module boundaries as absl::Status. These helpers format the message in place:
// Debian's abseil has a string_view of its own, which takes no std::string_view.

namespace stoker {

// A status with `code` and a formatted message.
template <typename... Args>
absl::Status Error(absl::StatusCode code, fmt::format_string<Args...> format, Args&&... args) {
  return absl::Status(code, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
absl::Status InvalidArgument(fmt::format_string<Args...> format, Args&&... args) {
  return Error(absl::StatusCode::kInvalidArgument, format, std::forward<Args>(args)...);
}

template <typename... Args>
absl::Status NotFound(fmt::format_string<Args...> format, Args&&... args) {
  return Error(absl::StatusCode::kNotFound, format, std::forward<Args>(args)...);
}

template <typename... Args>
absl::Status FailedPrecondition(fmt::format_string<Args...> format, Args&&... args) {
  return Error(absl::StatusCode::kFailedPrecondition, format, std::forward<Args>(args)...);
}

template <typename... Args>
absl::Status PermissionDenied(fmt::format_string<Args...> format, Args&&... args) {
  return Error(absl::StatusCode::kPermissionDenied, format, std::forward<Args>(args)...);
}

template <typename... Args>
absl::Status ResourceExhausted(fmt::format_string<Args...> format, Args&&... args) {
  return Error(absl::StatusCode::kResourceExhausted, format, std::forward<Args>(args)...);
}

template <typename... Args>
absl::Status Unavailable(fmt::format_string<Args...> format, Args&&... args) {
  return Error(absl::StatusCode::kUnavailable, format, std::forward<Args>(args)...);
}

template <typename... Args>
absl::Status DataLoss(fmt::format_string<Args...> format, Args&&... args) {
  return Error(absl::StatusCode::kDataLoss, format, std::forward<Args>(args)...);
}

template <typename... Args>
absl::Status Internal(fmt::format_string<Args...> format, Args&&... args) {
  return Error(absl::StatusCode::kInternal, format, std::forward<Args>(args)...);
}

// The status of a failed system call: a code chosen by `error_number`, "<context>: <strerror>".
absl::Status ErrnoError(int error_number, std::string_view context);

// `status` with "<context>: " before its message; OK stays OK.
absl::Status WithContext(const absl::Status& status, std::string_view context);

// The message as a std::string_view, valid as long as `status`.
std::string_view Message(const absl::Status& status);

}  // namespace stoker

// A declaration cannot stand in parentheses.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define STOKER_CONCAT_INNER(a, b) a##b
#define STOKER_CONCAT(a, b) STOKER_CONCAT_INNER(a, b)

#define STOKER_RETURN_IF_ERROR(expr)                                                    \
  do {                                                                                  \
    if (absl::Status stoker_status = (expr); !stoker_status.ok()) return stoker_status; \
  } while (false)

#define STOKER_ASSIGN_OR_RETURN(lhs, expr) \
  STOKER_ASSIGN_OR_RETURN_INNER(STOKER_CONCAT(stoker_result_, __LINE__), lhs, expr)
#define STOKER_ASSIGN_OR_RETURN_INNER(result, lhs, expr) \
  auto result = (expr);                                  \
  if (!result.ok()) return std::move(result).status();   \
  lhs = *std::move(result)
// NOLINTEND(bugprone-macro-parentheses)
