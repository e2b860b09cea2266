#include "services/store/request_check.h"

#include <cctype>
#include <cmath>
#include <limits>
#include <string_view>

#include "services/common/base/status.h"

namespace stoker::store {
namespace {

std::int64_t MillisToNanos(std::int64_t millis) {
  constexpr std::int64_t kLimit = std::numeric_limits<std::int64_t>::max() / 1'000'000;
  return std::clamp(millis, -kLimit, kLimit) * 1'000'000;
}

// Whether `id` has the form of `form`: a '-' where it has one, hexadecimal digits elsewhere.
bool HasForm(std::string_view id, std::string_view form) {
  if (id.size() != form.size()) return false;
  for (std::size_t i = 0; i < id.size(); ++i) {
    const bool fits =
        form[i] == '-' ? id[i] == '-' : std::isxdigit(static_cast<unsigned char>(id[i])) != 0;
    if (!fits) return false;
  }
  return true;
}

absl::Status CheckIds(const google::protobuf::RepeatedPtrField<std::string>& ids,
                      std::string_view form, std::string_view what) {
  for (const std::string& id : ids) {
    if (!HasForm(id, form)) return InvalidArgument("invalid {}: \"{}\"", what, id);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckSpanIds(const google::protobuf::RepeatedPtrField<std::string>& ids) {
  return CheckIds(ids, "0123456789abcdef", "span ID, 16 hexadecimal digits are needed");
}

absl::Status CheckTraceIds(const google::protobuf::RepeatedPtrField<std::string>& ids) {
  return CheckIds(ids, "0123456789abcdef0123456789abcdef",
                  "trace ID, 32 hexadecimal digits are needed");
}

absl::Status CheckProfileIds(const google::protobuf::RepeatedPtrField<std::string>& ids) {
  return CheckIds(ids, "01234567-89ab-cdef-0123-456789abcdef", "profile ID, a UUID is needed");
}

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
