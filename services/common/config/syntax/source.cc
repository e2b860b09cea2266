#include "services/common/config/syntax/source.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace stoker::config {

SourceFile::SourceFile(std::string name, std::string text)
    : name_(std::move(name)), text_(std::move(text)), line_starts_{0} {
  for (std::size_t i = 0; i < text_.size(); ++i) {
    if (text_[i] == '\n') line_starts_.push_back(static_cast<std::uint32_t>(i + 1));
  }
}

Position SourceFile::PositionOf(std::uint32_t offset) const {
  const auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  return {.line = static_cast<int>(next - line_starts_.begin()),
          .column = static_cast<int>(offset - *(next - 1)) + 1};
}

std::string_view SourceFile::Line(int line) const {
  const std::uint32_t begin = line_starts_[static_cast<std::size_t>(line) - 1];
  std::string_view rest = text().substr(begin);
  rest = rest.substr(0, rest.find('\n'));
  if (!rest.empty() && rest.back() == '\r') rest.remove_suffix(1);
  return rest;
}

std::string_view Span::text() const {
  return file == nullptr ? std::string_view() : file->text().substr(begin, end - begin);
}

std::string Span::Place() const {
  if (file == nullptr) return "";
  const Position position = file->PositionOf(begin);
  return fmt::format("{}:{}:{}", file->name(), position.line, position.column);
}

Span Join(const Span& first, const Span& last) { return {first.file, first.begin, last.end}; }

}  // namespace stoker::config
