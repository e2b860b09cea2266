#include "services/cli/process_table.h"

#include <algorithm>

namespace stoker::cli {
namespace {

const std::vector<ProcessSpec>& Table() {
  static const std::vector<ProcessSpec> table = {
      {.name = "store",
       .components = {},
       .capabilities = {},
       .http_listen = "127.0.0.1:4040",
       .uid_offset = 6},
      {.name = "forwarder",
       .components = {"pyroscope.write", "pyroscope.relabel", "pyroscope.enrich",
                      "pyroscope.receive_http"},
       .capabilities = {},
       .http_listen = "127.0.0.1:12346",
       .uid_offset = 5},
      {.name = "symbolizer",
       .components = {},
       .capabilities = {},
       .http_listen = "127.0.0.1:12344",
       .uid_offset = 4},
      {.name = "ebpf-collector",
       .components = {"pyroscope.ebpf"},
       .capabilities = {"cap_bpf", "cap_perfmon", "cap_sys_ptrace", "cap_dac_read_search",
                        "cap_checkpoint_restore", "cap_syslog"},
       .http_listen = "",
       .uid_offset = 1},
      {.name = "java-collector",
       .components = {"pyroscope.java"},
       .capabilities = {"cap_sys_ptrace", "cap_dac_read_search", "cap_setuid", "cap_setgid",
                        "cap_kill"},
       .http_listen = "",
       .uid_offset = 2},
      {.name = "scraper",
       .components = {"pyroscope.scrape"},
       .capabilities = {},
       .http_listen = "127.0.0.1:12343",
       .uid_offset = 3},
      {.name = "discovery",
       .components = {"discovery."},
       .capabilities = {"cap_sys_ptrace", "cap_dac_read_search"},
       .http_listen = "127.0.0.1:12340",
       .uid_offset = 0},
  };
  return table;
}

// Whether a component of type `used` ("discovery.process") is of `type`, which may be a family.
bool IsOf(std::string_view used, std::string_view type) {
  return type.ends_with('.') ? used.starts_with(type) : used == type;
}

bool AnyOf(const std::vector<std::string>& types, const ProcessSpec& process) {
  return std::ranges::any_of(types, [&](std::string_view used) {
    return std::ranges::any_of(process.components,
                               [&](std::string_view type) { return IsOf(used, type); });
  });
}

}  // namespace

std::span<const ProcessSpec> ProcessTable() { return Table(); }

std::vector<std::string> CapabilitiesOf(const ProcessSpec& process,
                                        const std::vector<std::string>& types) {
  const bool none =
      process.name == "discovery" && std::ranges::find(types, "discovery.process") == types.end();
  if (none) return {};
  return {process.capabilities.begin(), process.capabilities.end()};
}

std::vector<std::string_view> ProcessesFor(const std::vector<std::string>& types, bool with_store) {
  const auto needs = [&](std::string_view name) {
    const auto spec = std::ranges::find(Table(), name, &ProcessSpec::name);
    return AnyOf(types, *spec);
  };
  const bool raw_stacks = needs("ebpf-collector");
  const bool sources = raw_stacks || needs("java-collector") || needs("scraper");
  std::vector<std::string_view> names;
  for (const ProcessSpec& process : Table()) {
    const bool wanted = AnyOf(types, process) || (process.name == "store" && with_store) ||
                        (process.name == "symbolizer" && raw_stacks) ||
                        (process.name == "forwarder" && sources) ||
                        (process.name == "discovery" && sources);
    if (wanted) names.push_back(process.name);
  }
  return names;
}

std::vector<std::string_view> StopOrder() {
  return {"ebpf-collector", "java-collector", "scraper", "discovery",
          "symbolizer",     "forwarder",      "store"};
}

}  // namespace stoker::cli
