#include "services/common/config/components/pyroscope_scrape.h"

#include <algorithm>

#include "services/common/base/status.h"
#include "services/common/config/components/schemas.h"

namespace stoker::config {
namespace {

using Config = PyroscopeScrape;
using ProfileType = Config::ProfileType;
using Profiling = Config::ProfilingConfig;

struct BuiltIn {
  const char* name;
  ProfileType Profiling::* member;
  const char* description;
};

constexpr BuiltIn kBuiltIns[] = {
    {"memory", &Profiling::memory, "Collect memory profiles."},
    {"block", &Profiling::block, "Collect profiles on blocks."},
    {"goroutine", &Profiling::goroutine, "Collect goroutine profiles."},
    {"mutex", &Profiling::mutex, "Collect mutex profiles."},
    {"process_cpu", &Profiling::process_cpu, "Collect CPU profiles."},
    {"fgprof", &Profiling::fgprof, "Collect fgprof profiles."},
    {"godeltaprof_memory", &Profiling::godeltaprof_memory, "Collect godeltaprof memory profiles."},
    {"godeltaprof_mutex", &Profiling::godeltaprof_mutex, "Collect godeltaprof mutex profiles."},
    {"godeltaprof_block", &Profiling::godeltaprof_block, "Collect godeltaprof block profiles."},
};

const Schema* MakeProfileTypeSchema(const ProfileType& defaults) {
  return SchemaBuilder<ProfileType>(defaults)
      .Optional("enabled", &ProfileType::enabled, "Enable this profile type to be scraped.")
      .Optional("path", &ProfileType::path, "The path to the profile type on the target.")
      .Optional("delta", &ProfileType::delta, "Whether to scrape the profile as a delta.")
      .Build();
}

const Schema& CustomProfileSchema() {
  static const Schema* const schema =
      SchemaBuilder<ProfileType>()
          .Required("enabled", &ProfileType::enabled, "Enable this profile type to be scraped.")
          .Required("path", &ProfileType::path, "The path to the profile type on the target.")
          .Optional("delta", &ProfileType::delta, "Whether to scrape the profile as a delta.")
          .Build();
  return *schema;
}

const Schema* MakeProfilingConfigSchema() {
  SchemaBuilder<Profiling> builder;
  builder.Optional("path_prefix", &Profiling::path_prefix,
                   "The path prefix to use when scraping targets.");
  for (const BuiltIn& type : kBuiltIns) {
    builder.Block(std::string("profile.") + type.name, type.member,
                  *MakeProfileTypeSchema(Profiling().*type.member), type.description);
  }
  builder.LabelledBlocks("profile.custom", &Profiling::custom, CustomProfileSchema(),
                         "Collect custom profiles.");
  return builder.Build();
}

const Schema& ProfilingConfigSchema() {
  static const Schema* const schema = MakeProfilingConfigSchema();
  return *schema;
}

absl::Status Validate(const Config& config) {
  if (config.scrape_timeout <= absl::ZeroDuration()) {
    return InvalidArgument("scrape_timeout must be greater than 0");
  }
  if (config.scrape_interval <= absl::ZeroDuration()) {
    return InvalidArgument("scrape_interval must be greater than 0");
  }
  const auto types = config.profiling_config.AllTypes();
  const bool has_delta = std::any_of(types.begin(), types.end(), [](const auto& entry) {
    return entry.second.enabled && entry.second.delta;
  });
  if (!has_delta) return absl::OkStatus();
  if (config.scrape_interval < absl::Seconds(2)) {
    return InvalidArgument("scrape_interval must be at least 2 seconds when using delta profiling");
  }
  if (config.delta_profiling_duration <= absl::Seconds(1)) {
    return InvalidArgument(
        "delta_profiling_duration must be larger than 1 second when using delta profiling");
  }
  // The default follows the interval.
  if (config.delta_profiling_duration != Config().delta_profiling_duration &&
      config.delta_profiling_duration > config.scrape_interval - absl::Seconds(1)) {
    return InvalidArgument(
        "delta_profiling_duration must be at least 1 second smaller than scrape_interval when "
        "using delta profiling");
  }
  return absl::OkStatus();
}

}  // namespace

std::map<std::string, ProfileType> Profiling::AllTypes() const {
  std::map<std::string, ProfileType> types = custom;
  for (const BuiltIn& type : kBuiltIns) types.emplace(type.name, this->*type.member);
  return types;
}

const Schema& PyroscopeScrapeSchema() {
  static const Schema* const clustering =
      SchemaBuilder<Config>()
          .Required("enabled", &Config::clustering, "Shares the targets with other replicas.")
          .Build();
  static const Schema* const schema =
      SchemaBuilder<Config>()
          .Targets("targets", true, "List of targets to scrape.")
          .Receivers("forward_to", &Config::forward_to, true,
                     "List of receivers to send scraped profiles to.")
          .Optional("job_name", &Config::job_name,
                    "The job name to override the job label with. The component's id when empty.")
          .Optional("params", &Config::params,
                    "A set of query parameters with which the target is scraped.")
          .Optional("scrape_interval", &Config::scrape_interval,
                    "How frequently to scrape the targets of this scrape configuration.")
          .Optional("scrape_timeout", &Config::scrape_timeout,
                    "The timeout for scraping targets of this configuration.")
          .Optional("scheme", &Config::scheme, "The URL scheme with which to fetch profiles.")
          .Optional("delta_profiling_duration", &Config::delta_profiling_duration,
                    "How long a delta profile takes; 14s stands for scrape_interval less 1s.")
          .Squash(&Config::client, HttpClientConfigSchema())
          .Block("profiling_config", &Config::profiling_config, ProfilingConfigSchema(),
                 "Configure profiling settings for the scrape job.")
          .Section("clustering", *clustering,
                   "Configure the component for when there are several replicas.")
          .Validate(Validate)
          .Build();
  return *schema;
}

}  // namespace stoker::config
