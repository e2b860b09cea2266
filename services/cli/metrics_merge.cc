#include "services/cli/metrics_merge.h"

#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace stoker::cli {
namespace {

struct Family {
  // HELP and TYPE, of the first process that has them.
  std::vector<std::string> comments;
  std::vector<std::string> samples;
};

// The second word of a comment line: the metric's name.
std::string_view CommentName(std::string_view line) {
  const std::size_t start = line.find(' ', 2) + 1;
  return line.substr(start, line.find(' ', start) - start);
}

std::string WithProcess(std::string_view line, const std::string& process) {
  const std::size_t name_end = line.find_first_of("{ ");
  if (name_end == std::string_view::npos) return std::string(line);
  if (line[name_end] == ' ') {
    return fmt::format("{}{{process=\"{}\"}}{}", line.substr(0, name_end), process,
                       line.substr(name_end));
  }
  return fmt::format("{}{{process=\"{}\",{}", line.substr(0, name_end), process,
                     line.substr(name_end + 1));
}

// Samples follow the comments of their family: `_bucket`, `_sum` and `_count` too.
void AddText(std::map<std::string, Family>& families, const std::string& process,
             std::string_view text) {
  std::string family;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.empty()) continue;
    if (!line.starts_with("# ")) {
      families[family].samples.push_back(WithProcess(line, process));
      continue;
    }
    family = CommentName(line);
    Family& known = families[family];
    if (known.samples.empty()) known.comments.emplace_back(line);
  }
}

}  // namespace

std::string MergeMetrics(const std::map<std::string, std::string>& text_by_process) {
  std::map<std::string, Family> families;
  for (const auto& [process, text] : text_by_process) AddText(families, process, text);
  std::string merged;
  for (const auto& [name, family] : families) {
    for (const std::string& line : family.comments) merged += line + "\n";
    for (const std::string& line : family.samples) merged += line + "\n";
  }
  return merged;
}

}  // namespace stoker::cli
