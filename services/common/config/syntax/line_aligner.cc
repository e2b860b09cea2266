#include "services/common/config/syntax/line_aligner.h"

#include <algorithm>
#include <string_view>

namespace stoker::config {
namespace {

// In code points; of the last line where there are several.
std::size_t Width(std::string_view text) {
  const std::size_t newline = text.rfind('\n');
  if (newline != std::string_view::npos) text.remove_prefix(newline + 1);
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

bool IsOneLine(const FormattedLine& line) { return line.text.find('\n') == std::string::npos; }

// Calls `align` with each longest run of neighbours for which `belongs(first, next)` holds.
template <typename Belongs, typename Align>
void ForEachRun(std::vector<FormattedLine>& lines, const Belongs& belongs, const Align& align) {
  for (std::size_t begin = 0; begin < lines.size();) {
    std::size_t end = begin + 1;
    while (end < lines.size() && !lines[end].blank_before && belongs(lines[begin], lines[end]) &&
           IsOneLine(lines[end - 1])) {
      ++end;
    }
    align(begin, end);
    begin = end;
  }
}

void AlignAssignments(std::vector<FormattedLine>& lines) {
  const auto belongs = [](const FormattedLine& first, const FormattedLine& next) {
    return first.assignment && next.assignment && first.bracket == next.bracket;
  };
  ForEachRun(lines, belongs, [&lines](std::size_t begin, std::size_t end) {
    if (!lines[begin].assignment) return;
    std::size_t widest = 0;
    for (std::size_t i = begin; i < end; ++i) {
      widest = std::max(widest, Width(lines[i].text.substr(0, *lines[i].assignment)));
    }
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t at = *lines[i].assignment;
      lines[i].text.insert(at, widest - Width(lines[i].text.substr(0, at)), ' ');
    }
  });
}

void AlignComments(std::vector<FormattedLine>& lines) {
  const auto belongs = [](const FormattedLine& first, const FormattedLine& next) {
    return !first.comment.empty() && !next.comment.empty() && first.indent == next.indent;
  };
  ForEachRun(lines, belongs, [&lines](std::size_t begin, std::size_t end) {
    if (lines[begin].comment.empty()) return;
    std::size_t widest = 0;
    for (std::size_t i = begin; i < end; ++i) widest = std::max(widest, Width(lines[i].text));
    for (std::size_t i = begin; i < end; ++i) {
      lines[i].text.append(widest - Width(lines[i].text) + 1, ' ');
      lines[i].text += lines[i].comment;
    }
  });
}

}  // namespace

std::string AlignLines(std::vector<FormattedLine> lines) {
  AlignAssignments(lines);
  AlignComments(lines);
  std::string text;
  for (const FormattedLine& line : lines) {
    if (line.blank_before && !text.empty()) text += '\n';
    text.append(static_cast<std::size_t>(line.indent), '\t');
    text += line.text + "\n";
  }
  return text;
}

}  // namespace stoker::config
