#include "services/store/pusher.h"

#include <string>
#include <utility>
#include <vector>

#include "services/common/base/status.h"
#include "services/store/admission.h"
#include "services/store/rejection.h"

namespace stoker::store {
namespace {

// One status of several errors. Sending again must be possible while any of them asks for it.
absl::Status Combine(const std::vector<absl::Status>& errors) {
  if (errors.empty()) return absl::OkStatus();
  if (errors.size() == 1) return errors[0];
  absl::StatusCode code = errors[0].code();
  std::string text = fmt::format("{} errors: ", errors.size());
  for (const absl::Status& error : errors) {
    if (error.code() == absl::StatusCode::kUnavailable) code = error.code();
    text += Message(error);
    text += "; ";
  }
  text.resize(text.size() - 2);
  return absl::Status(code, text);
}

}  // namespace

absl::StatusOr<push::v1::PushResponse> Pusher::Push(const push::v1::PushRequest& request) {
  if (request.series().empty()) return InvalidArgument("no profiles received");
  std::vector<absl::Status> errors;
  for (int index = 0; index < request.series_size(); ++index) {
    const push::v1::RawProfileSeries& series = request.series(index);
    for (const push::v1::RawSample& sample : series.samples()) {
      const absl::Status status = PushOne(series, sample);
      if (status.ok()) continue;
      errors.push_back(WithContext(
          status, fmt::format("push series with index {} and id {} failed", index, sample.id())));
    }
  }
  STOKER_RETURN_IF_ERROR(Combine(errors));
  return push::v1::PushResponse();
}

absl::Status Pusher::PushOne(const push::v1::RawProfileSeries& series,
                             const push::v1::RawSample& sample) {
  const auto bytes = static_cast<double>(sample.raw_profile().size());
  metrics_.profiles.Increment();
  metrics_.compressed_bytes.Observe(bytes);
  const auto pushed = Store(series, sample);
  if (!pushed.ok()) {
    // Its samples are unknown: a profile that nobody could read counts as one.
    metrics_.Discard(ReasonOf(pushed.status()), 1, bytes);
    return pushed.status();
  }
  metrics_.stage.In(pushed->samples);
  if (pushed->duplicate) {
    metrics_.duplicates.Increment();
    metrics_.stage.Drop("duplicate", pushed->samples);
    return absl::OkStatus();
  }
  metrics_.stage.Out(pushed->stored);
  if (pushed->stored < pushed->samples) {
    metrics_.stage.Drop("empty", pushed->samples - pushed->stored);
  }
  return absl::OkStatus();
}

absl::StatusOr<Storage::Pushed> Pusher::Store(const push::v1::RawProfileSeries& series,
                                              const push::v1::RawSample& sample) {
  std::vector<model::Label> pairs;
  pairs.reserve(static_cast<std::size_t>(series.labels_size()));
  for (const types::v1::LabelPair& pair : series.labels()) {
    pairs.push_back({pair.name(), pair.value()});
  }
  STOKER_ASSIGN_OR_RETURN(const model::Labels labels,
                          AdmitLabels(std::move(pairs), storage_.limits()));
  return storage_.Push(labels, sample.raw_profile(), sample.id());
}

}  // namespace stoker::store
