#include "services/common/config/components/pyroscope_ebpf.h"

#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "services/common/base/status.h"
#include "services/common/config/components/schemas.h"

namespace stoker::config {
namespace {

using Config = PyroscopeEbpf;

// Symbols come from the symbolizer, whatever this block says.
const Schema& DebugInfoSchema() {
  static const Schema* const schema = SchemaBuilder<Nothing>()
                                          .Ignored<bool>("on_target_symbolization")
                                          .Ignored<bool>("upload")
                                          .Ignored<int>("cache_size")
                                          .Ignored<bool>("strip_text_section")
                                          .Ignored<int>("queue_size")
                                          .Ignored<int>("worker_num")
                                          .Build();
  return *schema;
}

absl::Status Validate(const Config& config) {
  constexpr int kMaxSampleRate = 10'000;
  if (config.sample_rate < 1 || config.sample_rate > kMaxSampleRate) {
    return InvalidArgument("sample_rate must be in [1, {}]", kMaxSampleRate);
  }
  if (config.collect_interval <= absl::ZeroDuration()) {
    return InvalidArgument("collect_interval must be greater than 0");
  }
  if (config.off_cpu_threshold < 0 || config.off_cpu_threshold > 1) {
    return InvalidArgument("off_cpu_threshold must be in [0, 1]");
  }
  return absl::OkStatus();
}

std::optional<Mismatch> SetComm(const Value& value, Config& config) {
  using Comm = Config::Comm;
  static constexpr std::pair<std::string_view, Comm> kModes[] = {{"none", Comm::kNone},
                                                                 {"", Comm::kNone},
                                                                 {"label", Comm::kLabel},
                                                                 {"stackframe", Comm::kStackframe},
                                                                 {"both", Comm::kBoth}};
  std::string text;
  if (auto mismatch = ConvertTo(value, text)) return mismatch;
  for (const auto& [name, mode] : kModes) {
    if (name != text) continue;
    config.comm = mode;
    return std::nullopt;
  }
  return Mismatch(fmt::format("invalid comm mode {}, expected one of none, label, stackframe, both",
                              DefaultText(text)));
}

void AddCaches(SchemaBuilder<Config>& builder) {
  builder
      .Optional("pid_cache_size", &Config::pid_cache_size,
                "Processes whose tables the collector keeps at least.")
      .Optional("build_id_cache_size", &Config::build_id_cache_size,
                "Binaries, by build id, whose symbols are kept hot; a hint.")
      .Optional("same_file_cache_size", &Config::same_file_cache_size,
                "Binaries without a build id whose symbols are kept hot; a hint.")
      .Optional("container_id_cache_size", &Config::container_id_cache_size,
                "Processes whose container ids are kept at least.")
      .Optional("symbols_map_size", &Config::symbols_map_size,
                "Entries of the eBPF symbols map at least.")
      .Optional("pid_map_size", &Config::pid_map_size, "Entries of the eBPF PID map at least.")
      .Ignored<int>("cache_rounds")
      .Ignored<bool>("go_table_fallback");
}

// Of Alloy's profiler.
void AddIgnored(SchemaBuilder<Config>& builder) {
  for (const char* name :
       {"perl_enabled", "php_enabled", "hotspot_enabled", "ruby_enabled", "v8_enabled",
        "dotnet_enabled", "go_enabled", "obi_process_context_enabled", "load_probe", "verbose_mode",
        "no_kernel_version_check", "reporter_unsymbolized_stubs"}) {
    builder.Ignored<bool>(name);
  }
  for (const char* name : {"probe_links", "u_probe_links"}) {
    builder.Ignored<std::vector<std::string>>(name);
  }
  builder.Ignored<std::string>("bpf_fs_root")
      .Ignored<std::string>("symb_cache_path")
      .Ignored<int>("symb_cache_size")
      .IgnoredBlock("debug_info", DebugInfoSchema());
}

const Schema* MakeSchema() {
  using Demangle = Config::Demangle;
  SchemaBuilder<Config> builder;
  builder
      .Targets("targets", true,
               "Targets to profile, by `__process_pid__` or the id of a container.")
      .Receivers("forward_to", &Config::forward_to, true,
                 "Receivers to send collected profiles to.")
      .Optional("collect_interval", &Config::collect_interval,
                "How frequently to collect profiles.")
      .Optional("sample_rate", &Config::sample_rate,
                "How many times per second to collect profile samples.")
      .Optional("collect_user_profile", &Config::collect_user_profile,
                "Whether to collect stacks of user space.")
      .Optional("collect_kernel_profile", &Config::collect_kernel_profile,
                "Whether to collect stacks of the kernel.")
      .Optional("kernel_frames", &Config::kernel_frames,
                "False: frames of the kernel are left out of stacks.")
      .Choice("demangle", &Config::demangle,
              {{"none", Demangle::kNone},
               {"simplified", Demangle::kSimplified},
               {"templates", Demangle::kTemplates},
               {"full", Demangle::kFull}},
              "C++ demangle mode: none, simplified, templates or full.")
      .Custom("comm", "string", "\"none\"", SetComm,
              "Where the thread's name goes: none, label, stackframe or both.")
      .Optional("pid_label", &Config::pid_label, "Adds the sample label `pid`.")
      .Optional("targets_only", &Config::targets_only,
                "False: processes without a target are profiled too, as ebpf/unspecified.")
      .Optional("python_enabled", &Config::python_enabled, "Whether to unwind Python.")
      .Optional("lazy_mode", &Config::lazy_mode,
                "Load the kernel programs only once there are targets.")
      .Optional("off_cpu_threshold", &Config::off_cpu_threshold,
                "The probability, 0 to 1, that a thread's leaving the CPU is sampled.")
      .Validate(Validate);
  AddCaches(builder);
  AddIgnored(builder);
  return builder.Build();
}

}  // namespace

const Schema& PyroscopeEbpfSchema() {
  static const Schema* const schema = MakeSchema();
  return *schema;
}

}  // namespace stoker::config
