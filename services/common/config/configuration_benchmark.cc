#include <string>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "services/common/config/configuration.h"
#include "services/common/config/environment.h"

namespace stoker::config {
namespace {

constexpr const char kRelabel[] = R"alloy(discovery.relabel "r{}" {{
  targets = {}
  rule {{
    action        = "keep"
    source_labels = ["__meta_process_exe"]
    regex         = "/usr/bin/(java|python{}).*"
  }}
  rule {{
    source_labels = ["__meta_process_username", "__meta_process_uid"]
    separator     = "@"
    regex         = "(.*)@(.*)"
    replacement   = "${{1}}/${{2}}"
    target_label  = "owner"
  }}
}}
)alloy";

// A chain of relabelling components, each with two rules.
std::string ManyComponents(int count) {
  std::string text = "discovery.process \"all\" { }\n";
  std::string targets = "discovery.process.all.targets";
  for (int i = 0; i < count; ++i) {
    text += fmt::format(kRelabel, i, targets, i);
    targets = fmt::format("discovery.relabel.r{}.output", i);
  }
  return text;
}

// Parses, orders and validates; `state.range(0)` components.
void BM_Validate(benchmark::State& state) {
  const std::string text = ManyComponents(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    const auto loaded =
        Configuration::Parse("test", text, MachineEnvironment(), {.check_values = true});
    if (!loaded.ok()) state.SkipWithError("the configuration is refused");
    benchmark::DoNotOptimize(loaded);
  }
}
BENCHMARK(BM_Validate)->Arg(2000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace stoker::config
