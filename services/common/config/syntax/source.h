#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stoker::config {

// A place in a file. Lines and columns begin at 1; columns count bytes.
struct Position {
  int line = 1;
  int column = 1;
  bool operator==(const Position&) const = default;
};

// The text of one configuration file. Spans point into it, so it outlives them.
class SourceFile {
 public:
  SourceFile(std::string name, std::string text);
  SourceFile(const SourceFile&) = delete;
  SourceFile& operator=(const SourceFile&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] int line_count() const { return static_cast<int>(line_starts_.size()); }

  // `offset` may be the end of the text.
  [[nodiscard]] Position PositionOf(std::uint32_t offset) const;
  // A line without its end. `line` is in [1, line_count()].
  [[nodiscard]] std::string_view Line(int line) const;

 private:
  const std::string name_;
  const std::string text_;
  std::vector<std::uint32_t> line_starts_;
};

// The bytes [begin, end) of a file; without a file, no place at all.
struct Span {
  const SourceFile* file = nullptr;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;

  [[nodiscard]] std::string_view text() const;
  // "name:line:column" of its beginning.
  [[nodiscard]] std::string Place() const;
};

// From the beginning of `first` to the end of `last`, of one file.
Span Join(const Span& first, const Span& last);

}  // namespace stoker::config
