#include "services/store/request_check.h"

#include <cmath>
#include <limits>

#include "services/common/base/status.h"

namespace stoker::store {
namespace {

std::int64_t MillisToNanos(std::int64_t millis) {
  constexpr std::int64_t kLimit = std::numeric_limits<std::int64_t>::max() / 1'000'000;
  return std::clamp(millis, -kLimit, kLimit) * 1'000'000;
}

}  // namespace

absl::StatusOr<TimeRange> CheckRange(std::int64_t start_ms, std::int64_t end_ms) {
  if (start_ms == 0 || end_ms == 0) return InvalidArgument("missing time range in the query");
  if (start_ms > end_ms) return InvalidArgument("query start time is after end time");
  return TimeRange{.start = MillisToNanos(start_ms), .end = MillisToNanos(end_ms)};
}

absl::StatusOr<Selector> CheckSelector(const std::string& profile_type,
                                       const std::string& label_selector) {
  STOKER_ASSIGN_OR_RETURN(const ProfileType type, ParseProfileType(profile_type));
  STOKER_ASSIGN_OR_RETURN(Selector selector, ParseSelector(label_selector));
  STOKER_ASSIGN_OR_RETURN(Matcher matcher,
                          Matcher::Create(Matcher::Type::kEqual, "__profile_type__", type.Id()));
  selector.Add(std::move(matcher));
  return selector;
}

absl::StatusOr<Selector> CheckMatchers(
    const google::protobuf::RepeatedPtrField<std::string>& selectors) {
  Selector all;
  for (const std::string& text : selectors) {
    STOKER_ASSIGN_OR_RETURN(const Selector selector, ParseSelector(text));
    for (const Matcher& matcher : selector.matchers()) all.Add(matcher);
  }
  return all;
}

absl::StatusOr<std::int64_t> CheckStep(double seconds) {
  if (!(seconds >= 0.001)) return InvalidArgument("step must be at least 1 ms");
  return static_cast<std::int64_t>(std::min(seconds * 1e3, 1e15));
}

}  // namespace stoker::store
