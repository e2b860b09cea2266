#include "services/common/relabel/replacement.h"

#include <algorithm>

namespace stoker::relabel {
namespace {

bool IsNameByte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// A reference that begins at a `$`: its name and length with the `$`; length 0 where it is none.
struct Reference {
  std::string_view name;
  std::size_t length = 0;
};

Reference ParseReference(std::string_view text) {
  const bool braced = text.size() > 1 && text[1] == '{';
  const std::size_t begin = braced ? 2 : 1;
  std::size_t end = begin;
  while (end < text.size() && IsNameByte(text[end])) ++end;
  if (end == begin) return {};
  const std::string_view name = text.substr(begin, end - begin);
  if (!braced) return {name, end};
  if (end == text.size() || text[end] != '}') return {};
  return {name, end + 1};
}

// The number of the group called `name`; -1 where there is none.
int FindGroup(std::string_view name, const RE2& regex) {
  const bool number = std::all_of(name.begin(), name.end(), [](char c) { return c <= '9'; });
  const bool leading_zero = name.size() > 1 && name[0] == '0';
  if (number && !leading_zero) {
    if (name.size() > 8) return -1;
    const int group = std::stoi(std::string(name));
    return group <= regex.NumberOfCapturingGroups() ? group : -1;
  }
  const auto& groups = regex.NamedCapturingGroups();
  const auto it = groups.find(std::string(name));
  return it == groups.end() ? -1 : it->second;
}

}  // namespace

Replacement::Replacement(std::string_view text, const RE2& regex) {
  std::string literal;
  while (!text.empty()) {
    if (text.starts_with("$$")) {
      literal += '$';
      text.remove_prefix(2);
      continue;
    }
    const Reference reference = text[0] == '$' ? ParseReference(text) : Reference{};
    if (reference.length == 0) {
      literal += text[0];
      text.remove_prefix(1);
      continue;
    }
    parts_.push_back({std::move(literal), FindGroup(reference.name, regex)});
    literal.clear();
    text.remove_prefix(reference.length);
  }
  if (!literal.empty()) parts_.push_back({std::move(literal), -1});
}

std::string Replacement::Expand(std::span<const std::string_view> groups) const {
  std::string text;
  for (const Part& part : parts_) {
    text += part.literal;
    if (part.group >= 0) text += groups[static_cast<std::size_t>(part.group)];
  }
  return text;
}

}  // namespace stoker::relabel
