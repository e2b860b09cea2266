#include "services/common/config/components/pyroscope_ebpf.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "services/common/base/status.h"
#include "services/common/config/components/schemas.h"

namespace stoker::config {
namespace {

using Config = PyroscopeEbpf;

// An argument of the peers that nothing here stands for. `asks`: whether a value asks for what is
// not built, which the collector says once.
template <typename M>
void AddUnbuilt(SchemaBuilder<Config>& builder, const std::string& name,
                const std::string& default_text, std::function<bool(const M&)> asks,
                const std::string& description, const std::string& parent = "") {
  builder.Custom(
      name, TypeText(static_cast<const M*>(nullptr)), default_text,
      [written = parent + name, asks = std::move(asks)](const Value& value,
                                                        Config& config) -> std::optional<Mismatch> {
        M given{};
        if (auto mismatch = ConvertTo(value, given)) return mismatch;
        if (asks(given)) config.unbuilt.push_back(written);
        return std::nullopt;
      },
      description);
}

bool IsTrue(const bool& value) { return value; }
bool IsNotEmpty(const std::vector<std::string>& value) { return !value.empty(); }
template <typename M>
bool Never(const M&) {
  return false;
}

// Symbols come from the symbolizer, whatever this block says.
const Schema& DebugInfoSchema() {
  static const Schema* const schema = [] {
    SchemaBuilder<Config> builder;
    AddUnbuilt<bool>(builder, "on_target_symbolization", "true", Never<bool>,
                     "No effect: the symbolizer names.");
    AddUnbuilt<bool>(builder, "upload", "false", IsTrue,
                     "No effect: debug information goes to the symbolizer, nowhere else.",
                     "debug_info.");
    AddUnbuilt<int>(builder, "cache_size", "262144", Never<int>, "No effect.");
    AddUnbuilt<bool>(builder, "strip_text_section", "false", Never<bool>, "No effect.");
    AddUnbuilt<int>(builder, "queue_size", "256", Never<int>, "No effect.");
    AddUnbuilt<int>(builder, "worker_num", "16", Never<int>, "No effect.");
    return builder.Build();
  }();
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
void AddUnbuilt(SchemaBuilder<Config>& builder) {
  static constexpr std::pair<const char*, const char*> kRuntimes[] = {
      {"perl_enabled", "Perl"}, {"php_enabled", "PHP"}, {"hotspot_enabled", "Java's"},
      {"ruby_enabled", "Ruby"}, {"v8_enabled", "V8's"}, {"dotnet_enabled", ".NET's"}};
  for (const auto& [name, runtime] : kRuntimes) {
    AddUnbuilt<bool>(builder, name, "true", IsTrue,
                     fmt::format("No effect: {} own frames are not built.", runtime));
  }
  AddUnbuilt<bool>(builder, "go_enabled", "true", Never<bool>,
                   "No effect: Go is unwound and named like any other program.");
  AddUnbuilt<bool>(builder, "obi_process_context_enabled", "true", IsTrue,
                   "No effect: the process context of OpenTelemetry is not read.");
  AddUnbuilt<bool>(builder, "load_probe", "false", IsTrue, "No effect: probes are not built.");
  for (const char* name : {"probe_links", "u_probe_links"}) {
    AddUnbuilt<std::vector<std::string>>(builder, name, "[]", IsNotEmpty,
                                         "No effect: probes are not built.");
  }
  AddUnbuilt<bool>(builder, "verbose_mode", "false", IsTrue,
                   "No effect: see the flag `--log.level`.");
  AddUnbuilt<bool>(builder, "no_kernel_version_check", "false", IsTrue,
                   "No effect: the kernel is asked for what is needed, not for its version.");
  AddUnbuilt<bool>(builder, "reporter_unsymbolized_stubs", "false", IsTrue,
                   "No effect: see `unresolved` of an endpoint of pyroscope.write.");
  AddUnbuilt<std::string>(builder, "bpf_fs_root", "\"/sys/fs/bpf/\"", Never<std::string>,
                          "No effect: nothing is pinned.");
  AddUnbuilt<std::string>(builder, "symb_cache_path", "\"/tmp/symb-cache\"", Never<std::string>,
                          "No effect: the symbolizer keeps the tables.");
  AddUnbuilt<int>(builder, "symb_cache_size", "2048", Never<int>,
                  "No effect: the symbolizer keeps the tables.");
  builder.Section("debug_info", DebugInfoSchema(), "Accepted; see below.");
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
  AddUnbuilt(builder);
  return builder.Build();
}

}  // namespace

const Schema& PyroscopeEbpfSchema() {
  static const Schema* const schema = MakeSchema();
  return *schema;
}

}  // namespace stoker::config
