#include "services/cli/record/recording.h"

#include <array>
#include <utility>

#include "services/cli/record/named_stacks.h"
#include "services/common/base/status.h"
#include "services/common/pprof/reader.h"

namespace stoker::cli {
namespace {

constexpr char kServiceName[] = "service_name";

std::string_view ProcessName(const profile::v1::Profile& profile) {
  for (const target::v1::Label& label : profile.labels()) {
    if (label.name() == kServiceName) return label.value();
  }
  return "[unknown]";
}

}  // namespace

absl::Status Recording::Add(const profile::v1::Profile& profile) {
  if (!profile.has_pprof()) return InvalidArgument("not a pprof profile");
  STOKER_ASSIGN_OR_RETURN(const pprof::Profile read, pprof::Read(profile.pprof()));
  const std::array<pprof::ProfileBuilder::Label, 1> labels = {
      {{.key = kProcessLabel, .str = ProcessName(profile)}}};
  absl::MutexLock lock(&mutex_);
  STOKER_RETURN_IF_ERROR(merge_.Add(read, labels));
  samples_ += profile.samples();
  return absl::OkStatus();
}

std::uint64_t Recording::samples() const {
  absl::MutexLock lock(&mutex_);
  return samples_;
}

std::string Recording::Finish(absl::Time start, absl::Duration duration) {
  absl::MutexLock lock(&mutex_);
  if (samples_ == 0) return "";
  merge_.SetTime(absl::ToUnixNanos(start), absl::ToInt64Nanoseconds(duration));
  return std::exchange(merge_, {}).Finish();
}

}  // namespace stoker::cli
