#include "services/cli/doctor/check.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace stoker::cli {
namespace {

struct LevelText {
  std::string_view word;
  // SGR codes of ECMA-48.
  std::string_view color;
};
constexpr std::array<LevelText, 3> kLevels = {
    {{"ok", "\033[32m"}, {"warning", "\033[33m"}, {"error", "\033[31m"}}};
constexpr std::string_view kPlain = "\033[0m";

const LevelText& TextOf(Check::Level level) { return kLevels[static_cast<std::size_t>(level)]; }

}  // namespace

nlohmann::ordered_json ToJson(const Checks& checks) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Check& check : checks) {
    list.push_back({{"id", check.id},
                    {"level", TextOf(check.level).word},
                    {"title", check.title},
                    {"detail", check.detail},
                    {"remedy", check.remedy}});
  }
  return {{"checks", std::move(list)}};
}

std::string ToText(const Checks& checks, bool color) {
  Checks sorted = checks;
  std::ranges::stable_sort(sorted, std::ranges::greater(), &Check::level);
  std::string text;
  for (const Check& check : sorted) {
    const LevelText& level = TextOf(check.level);
    text += fmt::format("{}{:<8}{} {}", color ? level.color : "", level.word, color ? kPlain : "",
                        check.title);
    if (!check.detail.empty()) text += ": " + check.detail;
    text += '\n';
    if (!check.remedy.empty()) text += fmt::format("{:<8} → {}\n", "", check.remedy);
  }
  return text;
}

bool HasError(const Checks& checks) {
  return std::ranges::any_of(
      checks, [](const Check& check) { return check.level == Check::Level::kError; });
}

}  // namespace stoker::cli
