#include "services/cli/doctor/metric_text.h"

#include <cstdlib>
#include <string>

namespace stoker::cli {

double SumMetric(std::string_view text, std::string_view name, std::string_view label) {
  double sum = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with(name)) continue;
    const std::string_view rest = line.substr(name.size());
    if (rest.empty() || (rest[0] != ' ' && rest[0] != '{')) continue;
    const std::size_t value = rest.rfind(' ');
    if (!label.empty() && rest.substr(0, value).find(label) == std::string_view::npos) continue;
    sum += std::strtod(std::string(rest.substr(value + 1)).c_str(), nullptr);
  }
  return sum;
}

}  // namespace stoker::cli
