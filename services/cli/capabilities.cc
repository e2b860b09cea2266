#include "services/cli/capabilities.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>

#include <fmt/ranges.h>
#include <sys/capability.h>

#include "services/cli/process_table.h"
#include "services/common/base/status.h"

namespace stoker::cli {
namespace {

// The set that a program uses, in hex: bit n is capability n.
std::uint64_t Effective(std::string_view proc_status) {
  constexpr std::string_view kField = "CapEff:";
  const std::size_t at = proc_status.find(kField);
  if (at == std::string_view::npos) return 0;
  return std::strtoull(std::string(proc_status.substr(at + kField.size(), 32)).c_str(), nullptr,
                       16);
}

}  // namespace

std::vector<std::string> MissingCapabilities(std::string_view proc_status,
                                             std::span<const std::string_view> wanted) {
  const std::uint64_t held = Effective(proc_status);
  std::vector<std::string> missing;
  for (const std::string_view name : wanted) {
    cap_value_t number = 0;
    const bool known = cap_from_name(std::string(name).c_str(), &number) == 0;
    if (known && (held >> number & 1) == 0) missing.emplace_back(name);
  }
  for (std::string& name : missing) std::ranges::transform(name, name.begin(), ::toupper);
  return missing;
}

absl::Status CheckCollectorCapabilities() {
  std::ifstream file("/proc/self/status");
  const std::string status(std::istreambuf_iterator<char>(file), {});
  const auto spec = std::ranges::find(ProcessTable(), "ebpf-collector", &ProcessSpec::name);
  const std::vector<std::string> missing = MissingCapabilities(status, spec->capabilities);
  if (missing.empty()) return absl::OkStatus();
  return PermissionDenied(
      "not permitted: sampling stacks needs {}; run it as root (sudo), or grant these capabilities",
      fmt::join(missing, ", "));
}

}  // namespace stoker::cli
