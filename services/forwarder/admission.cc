#include "services/forwarder/admission.h"

#include <utility>

#include <fmt/format.h>

#include "services/common/base/status.h"
#include "services/forwarder/write_labels.h"

namespace stoker::forwarder {
namespace {

constexpr std::size_t kIdBytes = 16;
constexpr absl::Duration kPatience = absl::Seconds(30);
// Unknown receivers that are remembered; one more is treated as known for long.
constexpr std::size_t kMaxUnknown = 1024;

using Kind = Admission::Verdict::Kind;

Admission::Verdict Reject(std::string reason, std::string message) {
  return {.kind = Kind::kReject, .reason = std::move(reason), .message = std::move(message)};
}

}  // namespace

void Admission::SetReceivers(std::set<std::string> receivers, std::vector<std::string> defaults) {
  absl::MutexLock lock(&mutex_);
  receivers_ = std::move(receivers);
  defaults_ = std::move(defaults);
  unknown_.clear();
}

Admission::Verdict Admission::Check(profile::v1::Profile& profile) {
  if (profile.id().size() != kIdBytes) {
    return Reject("invalid_argument", fmt::format("the profile's id has {} bytes, not {}",
                                                  profile.id().size(), kIdBytes));
  }
  if (profile.payload_case() == profile::v1::Profile::PAYLOAD_NOT_SET) {
    return Reject("invalid_argument", "the profile has no payload");
  }
  if (const absl::Status labels = ValidateLabels(profile.labels()); !labels.ok()) {
    return Reject("invalid_labels", std::string(Message(labels)));
  }
  absl::MutexLock lock(&mutex_);
  return profile.receivers().empty() ? UseDefaults(profile) : FindReceivers(profile);
}

Admission::Verdict Admission::UseDefaults(profile::v1::Profile& profile) {
  if (!defaults_.empty()) {
    profile.mutable_receivers()->Add(defaults_.begin(), defaults_.end());
    return FindReceivers(profile);
  }
  if (receivers_.size() == 1) {
    profile.add_receivers(*receivers_.begin());
    return {};
  }
  return Reject("invalid_argument",
                fmt::format("the profile names no receiver, and there are {} pyroscope.write to "
                            "choose from; set stoker {{ forwarder {{ default_receivers }} }}",
                            receivers_.size()));
}

Admission::Verdict Admission::FindReceivers(profile::v1::Profile& profile) {
  Verdict verdict;
  std::set<std::string> found;
  for (const std::string& receiver : profile.receivers()) {
    if (receivers_.contains(receiver)) {
      found.insert(receiver);
    } else if (IsNew(receiver)) {
      return {.kind = Kind::kLater, .reason = "unknown_receiver", .message = receiver};
    } else {
      verdict.missing.push_back(receiver);
    }
  }
  if (found.empty()) {
    return Reject("unknown_receiver",
                  fmt::format("there is no receiver {}", verdict.missing.front()));
  }
  profile.mutable_receivers()->Assign(found.begin(), found.end());
  return verdict;
}

bool Admission::IsNew(const std::string& receiver) {
  const absl::Duration now = clock_.Monotonic();
  if (unknown_.size() >= kMaxUnknown && !unknown_.contains(receiver)) return false;
  return now - unknown_.emplace(receiver, now).first->second < kPatience;
}

}  // namespace stoker::forwarder
