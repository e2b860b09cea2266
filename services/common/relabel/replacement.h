#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <re2/re2.h>

namespace stoker::relabel {

// A replacement text with its references to groups of a regular expression, parsed once: `$1`,
// `${1}`, `$name`, `${name}`, `$$`. As in Go's regexp.Expand a name is the longest run of letters,
// digits and underscores (`$1x` is the group "1x"), an unknown group is empty, and a `$` that
// begins no name stands for itself.
class Replacement {
 public:
  Replacement(std::string_view text, const RE2& regex);

  // `groups[i]` is group i; group 0 is the whole match.
  [[nodiscard]] std::string Expand(std::span<const std::string_view> groups) const;

 private:
  struct Part {
    std::string literal;
    // The group that follows the literal; -1 is none.
    int group = -1;
  };
  std::vector<Part> parts_;
};

}  // namespace stoker::relabel
