#include "services/common/procfs/maps.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace stoker::procfs {
namespace {

// Takes a number in `base` and the character behind it off the front of `text`.
std::optional<std::uint64_t> TakeNumber(std::string_view& text, int base, char end) {
  std::uint64_t value = 0;
  const auto [next, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || next == text.data() + text.size() || *next != end) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(next - text.data()) + 1);
  return value;
}

// "start-end perms offset major:minor inode", then blanks and the path.
std::optional<ExecutableMapping> ParseLine(std::string_view line) {
  const auto start = TakeNumber(line, 16, '-');
  const auto end = start ? TakeNumber(line, 16, ' ') : std::nullopt;
  if (!end || *end <= *start || line.size() < 5 || line[2] != 'x') return std::nullopt;
  line.remove_prefix(5);
  const auto offset = TakeNumber(line, 16, ' ');
  const auto major = offset ? TakeNumber(line, 16, ':') : std::nullopt;
  const auto minor = major ? TakeNumber(line, 16, ' ') : std::nullopt;
  const auto inode = minor ? TakeNumber(line, 10, ' ') : std::nullopt;
  if (!inode) return std::nullopt;
  const std::size_t path = line.find_first_not_of(' ');
  return ExecutableMapping{
      .start = *start,
      .end = *end,
      .file_offset = *offset,
      .inode = *inode,
      .path = path == std::string_view::npos ? "" : std::string(line.substr(path))};
}

}  // namespace

std::vector<ExecutableMapping> ParseMaps(std::string_view text) {
  std::vector<ExecutableMapping> mappings;
  while (!text.empty() && mappings.size() < kMaxExecutableMappings) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (auto mapping = ParseLine(line)) mappings.push_back(*std::move(mapping));
  }
  return mappings;
}

}  // namespace stoker::procfs
