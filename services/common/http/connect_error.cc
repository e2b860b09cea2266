#include <nlohmann/json.hpp>

#include "services/common/base/status.h"
#include "services/common/http/connect.h"

namespace stoker::http {
namespace {

struct CodeRow {
  absl::StatusCode code;
  std::string_view name;
  int http_status;
};

// Connect's protocol specification, "Error Codes".
constexpr CodeRow kCodes[] = {
    {absl::StatusCode::kCancelled, "canceled", 499},
    {absl::StatusCode::kUnknown, "unknown", 500},
    {absl::StatusCode::kInvalidArgument, "invalid_argument", 400},
    {absl::StatusCode::kDeadlineExceeded, "deadline_exceeded", 504},
    {absl::StatusCode::kNotFound, "not_found", 404},
    {absl::StatusCode::kAlreadyExists, "already_exists", 409},
    {absl::StatusCode::kPermissionDenied, "permission_denied", 403},
    {absl::StatusCode::kResourceExhausted, "resource_exhausted", 429},
    {absl::StatusCode::kFailedPrecondition, "failed_precondition", 400},
    {absl::StatusCode::kAborted, "aborted", 409},
    {absl::StatusCode::kOutOfRange, "out_of_range", 400},
    {absl::StatusCode::kUnimplemented, "unimplemented", 501},
    {absl::StatusCode::kInternal, "internal", 500},
    {absl::StatusCode::kUnavailable, "unavailable", 503},
    {absl::StatusCode::kDataLoss, "data_loss", 500},
    {absl::StatusCode::kUnauthenticated, "unauthenticated", 401},
};

const CodeRow& Find(absl::StatusCode code) {
  for (const CodeRow& row : kCodes) {
    if (row.code == code) return row;
  }
  return kCodes[1];
}

}  // namespace

std::string_view ConnectCode(absl::StatusCode code) { return Find(code).name; }

int ConnectHttpStatus(absl::StatusCode code) { return Find(code).http_status; }

Response ErrorResponse(const absl::Status& status) {
  return ErrorResponse(ConnectHttpStatus(status.code()), ConnectCode(status.code()),
                       Message(status));
}

Response ErrorResponse(int http_status, std::string_view code, std::string_view message) {
  const nlohmann::ordered_json body = {{"code", code}, {"message", message}};
  // Messages may quote bytes of the peer.
  return Json(http_status,
              body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace stoker::http
