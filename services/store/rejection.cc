#include "services/store/rejection.h"

#include <optional>

#include <absl/strings/cord.h>

namespace stoker::store {
namespace {

constexpr char kReason[] = "stoker/discard-reason";

}  // namespace

absl::Status Reject(std::string_view reason, absl::Status status) {
  status.SetPayload(kReason, absl::Cord(std::string(reason)));
  return status;
}

std::string ReasonOf(const absl::Status& status) {
  const auto reason = status.GetPayload(kReason);
  return reason ? std::string(*reason) : "unknown";
}

}  // namespace stoker::store
