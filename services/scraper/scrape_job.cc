#include "services/scraper/scrape_job.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include <absl/strings/numbers.h>
#include <xxhash.h>

#include "services/common/base/status.h"
#include "services/common/base/utf8.h"
#include "services/common/model/label_editor.h"
#include "services/common/model/service_name.h"
#include "services/scraper/scrape_url.h"

namespace stoker::scraper {
namespace {

using config::PyroscopeScrape;
using model::Labels;

constexpr std::string_view kName = "__name__";
constexpr std::string_view kPath = "__profile_path__";
constexpr std::string_view kPrefix = "__profile_path_prefix__";
constexpr std::string_view kScheme = "__scheme__";
constexpr std::string_view kAddress = "__address__";
constexpr std::string_view kParameter = "__param_";
constexpr std::string_view kMeta = "__meta_";
constexpr std::string_view kSecondsParameter = "seconds";
constexpr std::string_view kGodeltaprof = "godeltaprof_";
// Of a `seconds` that a target's label asks for.
constexpr int kMaxSeconds = 3600;

void SetIfEmpty(Labels& labels, std::string_view name, std::string_view value) {
  if (labels.Get(name).empty()) labels.Set(name, value);
}

bool IsPublic(std::string_view name) { return !name.starts_with("__"); }

bool CountsFromStart(std::string_view type) {
  return type == "memory" || type == "block" || type == "mutex";
}

// What of an address could not be a host and a port, and would be something else in a URL.
bool IsHostname(std::string_view address) {
  return std::ranges::none_of(address, [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '\x7f' ||
           std::string_view("/\\?#@").find(c) != std::string_view::npos;
  });
}

int DeltaSeconds(const PyroscopeScrape& arguments) {
  const bool follows_interval =
      arguments.delta_profiling_duration == PyroscopeScrape().delta_profiling_duration;
  const absl::Duration seconds = follows_interval ? arguments.scrape_interval - absl::Seconds(1)
                                                  : arguments.delta_profiling_duration;
  return static_cast<int>(absl::ToInt64Seconds(seconds));
}

Parameters MakeParameters(const PyroscopeScrape& arguments, const Labels& labels, bool delta) {
  Parameters parameters = arguments.params;
  for (const model::LabelView label : labels) {
    if (!label.name.starts_with(kParameter)) continue;
    std::vector<std::string>& values =
        parameters[std::string(label.name.substr(kParameter.size()))];
    if (values.empty()) values.emplace_back();
    values.front() = label.value;
  }
  const std::string seconds(kSecondsParameter);
  if (delta && !parameters.contains(seconds)) {
    parameters[seconds] = {std::to_string(DeltaSeconds(arguments))};
  }
  return parameters;
}

// A request that blocks may take as long as it is told to, and the timeout on top.
absl::Duration Timeout(const PyroscopeScrape& arguments, const Parameters& parameters) {
  const auto found = parameters.find(std::string(kSecondsParameter));
  int seconds = 0;
  if (found == parameters.end() || found->second.empty() ||
      !absl::SimpleAtoi(found->second.front(), &seconds)) {
    return arguments.scrape_timeout;
  }
  return arguments.scrape_timeout + absl::Seconds(std::clamp(seconds, 0, kMaxSeconds));
}

absl::Status CheckValues(const Labels& labels) {
  for (const model::LabelView label : labels) {
    if (ToValidUtf8(label.value) != label.value) {
      return InvalidArgument("invalid label value for \"{}\": \"{}\"", label.name,
                             ToValidUtf8(label.value));
    }
  }
  return absl::OkStatus();
}

// Gives the labels that say where the target is, and checks them.
absl::Status Locate(Labels& labels) {
  if (labels.Get(kAddress).empty()) return InvalidArgument("no address");
  const std::string scheme(labels.Get(kScheme));
  if (scheme != "http" && scheme != "https") {
    return InvalidArgument("invalid scheme: \"{}\"", scheme);
  }
  labels.Set(kAddress, WithPort(labels.Get(kAddress), scheme));
  if (!IsHostname(labels.Get(kAddress))) {
    return InvalidArgument("\"{}\" is not a valid hostname", labels.Get(kAddress));
  }
  SetIfEmpty(labels, "instance", std::string(labels.Get(kAddress)));
  return absl::OkStatus();
}

Labels SentLabels(const Labels& labels) {
  model::LabelEditor sent(labels);
  sent.EraseIf([](std::string_view name) {
    return !IsPublic(name) && name != kName && !name.starts_with(kMeta);
  });
  return sent.Make();
}

ScrapeJob MakeJob(const PyroscopeScrape& arguments, const std::string& type_name,
                  const PyroscopeScrape::ProfileType& type, Labels labels) {
  const bool godeltaprof = type_name.starts_with(kGodeltaprof);
  SetIfEmpty(labels, kPath, type.path);
  SetIfEmpty(labels, kPrefix, arguments.profiling_config.path_prefix);
  SetIfEmpty(labels, kName, godeltaprof ? type_name.substr(kGodeltaprof.size()) : type_name);
  const Parameters parameters = MakeParameters(arguments, labels, type.delta);
  ScrapeJob job{.type = type_name,
                .url = MakeUrl(labels.Get(kScheme), labels.Get(kAddress), labels.Get(kPrefix),
                               labels.Get(kPath), parameters),
                .labels = SentLabels(labels),
                .timeout = Timeout(arguments, parameters)};
  if (!CountsFromStart(labels.Get(kName))) return job;
  // Whoever takes the difference: the backend must not do it again.
  job.labels.Set("__delta__", "false");
  job.take_difference = !godeltaprof && !parameters.contains(std::string(kSecondsParameter));
  return job;
}

// What tells a target from another: where they were found does not.
std::string TargetKey(const Labels& target) {
  std::string key;
  for (const model::LabelView label : target) {
    if (label.name.starts_with(kMeta)) continue;
    key.append(label.name).push_back('\xff');
    key.append(label.value).push_back('\xff');
  }
  return key;
}

}  // namespace

Labels ScrapeJob::PublicLabels() const {
  model::LabelEditor shown(labels);
  shown.EraseIf([](std::string_view name) { return !IsPublic(name); });
  return shown.Make();
}

std::string ScrapeJob::Identity() const {
  return fmt::format("{} {} {}", url, labels.Get(kName), PublicLabels().ToString());
}

absl::StatusOr<std::vector<ScrapeJob>> MakeJobs(const std::string& component_id,
                                                const PyroscopeScrape& arguments,
                                                const Labels& target) {
  Labels labels = target;
  SetIfEmpty(labels, "job", arguments.job_name.empty() ? component_id : arguments.job_name);
  SetIfEmpty(labels, kScheme, arguments.scheme.empty() ? "http" : arguments.scheme);
  for (const auto& [name, values] : arguments.params) {
    if (!values.empty()) labels.Set(std::string(kParameter) + name, values.front());
  }
  STOKER_RETURN_IF_ERROR(Locate(labels));
  labels.Set("service_name", model::InferServiceName(target, ""));
  STOKER_RETURN_IF_ERROR(CheckValues(labels));
  std::vector<ScrapeJob> jobs;
  for (const auto& [name, type] : arguments.profiling_config.AllTypes()) {
    if (type.enabled) jobs.push_back(MakeJob(arguments, name, type, labels));
  }
  return jobs;
}

std::uint64_t ShareKey(const Labels& target) {
  const std::string key = TargetKey(target);
  return XXH64(key.data(), key.size(), 0);
}

JobList MakeJobList(const std::string& component_id, const PyroscopeScrape& arguments,
                    const model::TargetVector& targets, const Share& share) {
  JobList list;
  std::set<std::string> seen;
  std::map<std::string, ScrapeJob> jobs;
  for (const model::TargetPtr& target : targets) {
    if (!seen.insert(TargetKey(target->labels)).second) {
      ++list.duplicates;
      continue;
    }
    if (!share.Owns(ShareKey(target->labels))) {
      ++list.elsewhere;
      continue;
    }
    auto made = MakeJobs(component_id, arguments, target->labels);
    if (!made.ok()) {
      list.refused.push_back({std::string(target->labels.Get(kAddress)), made.status()});
      continue;
    }
    for (ScrapeJob& job : *made) jobs.emplace(job.Identity(), std::move(job));
  }
  for (auto& [identity, job] : jobs) list.jobs.push_back(std::move(job));
  return list;
}

}  // namespace stoker::scraper
