#pragma once

#include <optional>
#include <string>
#include <vector>

namespace stoker::config {

// A line of formatted text.
struct FormattedLine {
  int indent = 0;
  // Without indentation and trailing comment. May hold newlines: a raw string, a block comment.
  std::string text;
  std::string comment;
  // Where ` = ` begins when the line assigns, and the brackets that it stands in.
  std::optional<std::size_t> assignment;
  int bracket = 0;
  bool blank_before = false;
};

// Joins lines, each with a newline, after aligning the assignments of neighbouring lines in the
// same brackets, then the comments of neighbouring lines.
std::string AlignLines(std::vector<FormattedLine> lines);

}  // namespace stoker::config
