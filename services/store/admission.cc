#include "services/store/admission.h"

#include <algorithm>
#include <map>
#include <utility>

#include "services/common/base/status.h"
#include "services/common/model/label_editor.h"
#include "services/common/pprof/gzip.h"
#include "services/common/pprof/reader.h"
#include "services/common/pprof/utf8.h"
#include "services/store/profile_type.h"
#include "services/store/rejection.h"

namespace stoker::store {
namespace {

using model::Label;
using model::Labels;

// Sample labels as (key, value), sorted.
using SampleLabels = std::vector<std::pair<std::string_view, std::string_view>>;

// Labels that say something about one sample, not about a series.
bool IsSpanLabel(std::string_view key) {
  return key == "span_id" || key == "trace_id" || key == "profile_id";
}

absl::Status CheckLabel(const Labels& all, model::LabelView label, const Limits& limits) {
  if (!pprof::IsUtf8(label.name) || !pprof::IsUtf8(label.value) || label.name.empty()) {
    return Reject("invalid_labels",
                  InvalidArgument("invalid labels '{}' with error: invalid label name or value",
                                  all.ToString()));
  }
  if (label.name.size() > limits.max_label_name_bytes) {
    return Reject("label_name_too_long",
                  InvalidArgument("profile with labels '{}' has label name too long: '{}'",
                                  all.ToString(), label.name));
  }
  if (label.value.size() > limits.max_label_value_bytes) {
    return Reject("label_value_too_long",
                  InvalidArgument("profile with labels '{}' has label value too long: '{}'",
                                  all.ToString(), label.value));
  }
  return absl::OkStatus();
}

absl::Status CheckLabels(const Labels& labels, const Limits& limits) {
  if (labels.size() > limits.max_label_names) {
    return Reject("max_label_names_per_series",
                  InvalidArgument("profile series '{}' has {} label names; limit {}",
                                  labels.ToString(), labels.size(), limits.max_label_names));
  }
  for (const model::LabelView label : labels) {
    STOKER_RETURN_IF_ERROR(CheckLabel(labels, label, limits));
  }
  return absl::OkStatus();
}

// godeltaprof sends deltas under a name of its own; wall-clock profilers that count CPU send
// "wall".
void RelabelName(model::LabelEditor& labels, std::string_view sample_type) {
  constexpr std::string_view kDelta = "godeltaprof_";
  const std::string name(labels.Get("__name__"));
  if (name.starts_with(kDelta) && name.size() > kDelta.size()) {
    labels.Set("__name_replaced__", name);
    labels.Set("__name__", std::string_view(name).substr(kDelta.size()));
  } else if (name == "wall" && sample_type == "cpu") {
    labels.Set("__name_replaced__", name);
    labels.Set("__name__", "process_cpu");
  }
}

Labels StoredLabels(const Labels& pushed, const pprof::Profile& profile, std::size_t type) {
  model::LabelEditor labels(pushed);
  const auto text = [&](std::uint32_t index) { return std::string(profile.strings[index]); };
  const pprof::Profile::ValueType& value = profile.sample_types[type];
  RelabelName(labels, text(value.type));
  const ProfileType id = {.name = std::string(labels.Get("__name__")),
                          .sample_type = text(value.type),
                          .sample_unit = text(value.unit),
                          .period_type = text(profile.period_type.type),
                          .period_unit = text(profile.period_type.unit)};
  labels.Set("__profile_type__", id.Id());
  labels.Set("__service_name__", labels.Get("service_name"));
  labels.Set("__type__", id.sample_type);
  labels.Set("__unit__", id.sample_unit);
  labels.Set("__period_type__", id.period_type);
  labels.Set("__period_unit__", id.period_unit);
  for (const std::string_view name : {"__delta__", "__order__", "__session_id__"}) {
    labels.Erase(name);
  }
  return labels.Make();
}

absl::Status CheckSizes(const Labels& labels, const pprof::Profile& profile, const Limits& limits) {
  if (profile.samples.size() > limits.max_profile_samples) {
    return Reject(
        "samples_limit",
        InvalidArgument("the profile with labels '{}' exceeds the samples count limit "
                        "(max_profile_stacktrace_samples, actual: {}, limit: {})",
                        labels.ToString(), profile.samples.size(), limits.max_profile_samples));
  }
  for (const pprof::Profile::Sample& sample : profile.samples) {
    if (sample.labels.count <= limits.max_sample_labels) continue;
    return Reject(
        "sample_labels_limit",
        InvalidArgument("the profile with labels '{}' exceeds the sample labels limit "
                        "(max_profile_stacktrace_sample_labels, actual: {}, limit: {})",
                        labels.ToString(), sample.labels.count, limits.max_sample_labels));
  }
  return absl::OkStatus();
}

// Whether a sample says anything: no negative value, not only zeros, every location there.
bool IsKept(const pprof::Profile& profile, std::size_t index) {
  const auto values = profile.ValuesOf(index);
  if (std::ranges::any_of(values, [](std::int64_t v) { return v < 0; })) return false;
  if (std::ranges::all_of(values, [](std::int64_t v) { return v == 0; })) return false;
  return std::ranges::none_of(profile.StackOf(profile.samples[index]), [](std::uint32_t location) {
    return location == pprof::Profile::kMissing;
  });
}

SampleLabels LabelsOf(const pprof::Profile& profile, const pprof::Profile::Sample& sample) {
  SampleLabels labels;
  for (const pprof::Profile::Label& label : profile.LabelsOf(sample)) {
    const std::string_view key = profile.strings[label.key];
    if (label.str == 0 || key.empty() || IsSpanLabel(key)) continue;
    labels.emplace_back(key, profile.strings[label.str]);
  }
  std::ranges::sort(labels);
  return labels;
}

// The series of the samples of one set of sample labels.
absl::Status AddSeries(const Labels& pushed, const SampleLabels& sample_labels,
                       const std::vector<std::uint32_t>& samples, const Limits& limits,
                       AdmittedProfile& out) {
  Labels labels = pushed;
  for (const auto& [key, value] : sample_labels) {
    if (!labels.Has(key)) labels.Set(key, value);
  }
  STOKER_RETURN_IF_ERROR(CheckLabels(labels, limits));
  for (std::size_t type = 0; type < out.profile.sample_types.size(); ++type) {
    AdmittedProfile::Series series;
    for (const std::uint32_t sample : samples) {
      const std::int64_t value = out.profile.ValuesOf(sample)[type];
      if (value != 0) series.entries.push_back({.sample = sample, .value = value});
    }
    if (series.entries.empty()) continue;
    series.labels = StoredLabels(labels, out.profile, type);
    out.series.push_back(std::move(series));
  }
  return absl::OkStatus();
}

// The message of a raw pprof, bare or gzip.
absl::StatusOr<std::string> Inflate(const Labels& labels, std::string_view raw,
                                    const Limits& limits) {
  if (!pprof::IsGzip(raw)) {
    if (raw.size() <= limits.max_profile_bytes) return std::string(raw);
    return Reject("profile_size_limit",
                  InvalidArgument("the profile with labels '{}' exceeds the size limit "
                                  "(max_profile_size_byte, actual: {}, limit: {})",
                                  labels.ToString(), raw.size(), limits.max_profile_bytes));
  }
  auto content = pprof::Gunzip(raw, limits.max_profile_bytes);
  if (content.status().code() == absl::StatusCode::kResourceExhausted) {
    return Reject("profile_size_limit",
                  InvalidArgument("uncompressed profile payload size exceeds limit of {:.1f} MB",
                                  static_cast<double>(limits.max_profile_bytes) / 1e6));
  }
  if (!content.ok()) return Reject("malformed_profile", content.status());
  return content;
}

absl::StatusOr<pprof::Profile> ReadProfile(const Labels& labels, std::string_view raw,
                                           const Limits& limits) {
  const pprof::ReadLimits read_limits = {.max_bytes = limits.max_profile_bytes,
                                         .max_depth = limits.max_stack_depth,
                                         .max_symbol_bytes = limits.max_symbol_bytes};
  STOKER_ASSIGN_OR_RETURN(std::string message, Inflate(labels, raw, limits));
  auto profile = pprof::ReadInflated(std::move(message), read_limits);
  if (profile.status().code() == absl::StatusCode::kResourceExhausted) {
    return Reject("samples_limit", InvalidArgument("the profile with labels '{}': {}",
                                                   labels.ToString(), Message(profile.status())));
  }
  if (!profile.ok()) return Reject("malformed_profile", profile.status());
  return profile;
}

// The samples to keep, by their labels. Most profiles have none: those make one group at once.
std::map<SampleLabels, std::vector<std::uint32_t>> GroupSamples(const pprof::Profile& profile) {
  std::map<SampleLabels, std::vector<std::uint32_t>> groups;
  std::vector<std::uint32_t> unlabelled;
  for (std::uint32_t i = 0; i < profile.samples.size(); ++i) {
    if (!IsKept(profile, i)) continue;
    SampleLabels labels;
    if (profile.samples[i].labels.count > 0) labels = LabelsOf(profile, profile.samples[i]);
    (labels.empty() ? unlabelled : groups[std::move(labels)]).push_back(i);
  }
  if (!unlabelled.empty()) groups.emplace(SampleLabels(), std::move(unlabelled));
  return groups;
}

}  // namespace

absl::StatusOr<Labels> AdmitLabels(std::vector<Label> labels, const Limits& limits) {
  if (labels.empty()) {
    return Reject("missing_labels",
                  InvalidArgument("error at least one label pair is required per profile"));
  }
  std::ranges::sort(labels, {}, &Label::name);
  const auto twice = std::ranges::adjacent_find(labels, {}, &Label::name);
  const std::string duplicate = twice == labels.end() ? "" : twice->name;
  Labels admitted(std::move(labels));
  if (!duplicate.empty()) {
    return Reject("duplicate_label_names",
                  InvalidArgument("profile with labels '{}' has duplicate label name: '{}'",
                                  admitted.ToString(), duplicate));
  }
  if (admitted.Get("__name__").empty()) {
    return Reject("invalid_labels",
                  InvalidArgument("invalid labels '{}' with error: invalid metric name",
                                  admitted.ToString()));
  }
  if (!admitted.Has("service_name")) admitted.Set("service_name", "unknown_service");
  STOKER_RETURN_IF_ERROR(CheckLabels(admitted, limits));
  return admitted;
}

absl::StatusOr<AdmittedProfile> AdmitProfile(const Labels& labels, std::string_view raw,
                                             absl::Time received, const Limits& limits) {
  AdmittedProfile admitted;
  STOKER_ASSIGN_OR_RETURN(admitted.profile, ReadProfile(labels, raw, limits));
  STOKER_RETURN_IF_ERROR(CheckSizes(labels, admitted.profile, limits));
  admitted.time_nanos =
      admitted.profile.time_nanos > 0 ? admitted.profile.time_nanos : absl::ToUnixNanos(received);
  for (const auto& [sample_labels, samples] : GroupSamples(admitted.profile)) {
    STOKER_RETURN_IF_ERROR(AddSeries(labels, sample_labels, samples, limits, admitted));
  }
  return admitted;
}

absl::Status CheckWindow(const Labels& labels, std::int64_t time_nanos, absl::Time now,
                         const Limits& limits) {
  const absl::Time time = absl::FromUnixNanos(time_nanos);
  const absl::Time oldest = now - limits.reject_older_than;
  const absl::Time newest = now + limits.reject_newer_than;
  if (time > oldest && time < newest) return absl::OkStatus();
  const auto text = [](absl::Time t) {
    return std::string(absl::FormatTime("%Y-%m-%d %H:%M:%E3SZ", t, absl::UTCTimeZone()));
  };
  return Reject("not_in_ingestion_window",
                InvalidArgument("profile with labels '{}' is outside of ingestion window (profile "
                                "timestamp: {}, the ingestion window starts at {} and ends at {})",
                                labels.ToString(), text(time), text(oldest), text(newest)));
}

}  // namespace stoker::store
