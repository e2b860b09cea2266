#include "services/cli/color.h"

#include <cstdlib>
#include <string_view>

#include <unistd.h>

namespace stoker::cli {
namespace {

std::string_view Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

void AddColorOption(CLI::App& command, ColorMode& mode) {
  static const std::map<std::string, ColorMode> kModes = {
      {"auto", ColorMode::kAuto}, {"always", ColorMode::kAlways}, {"never", ColorMode::kNever}};
  command.add_option("--color", mode, "auto, always or never; NO_COLOR means never")
      ->transform(CLI::CheckedTransformer(kModes))
      ->default_str("auto");
}

bool UseColor(ColorMode mode, std::FILE* stream) {
  if (mode != ColorMode::kAuto) return mode == ColorMode::kAlways;
  if (!Variable("NO_COLOR").empty()) return false;
  if (const auto force = Variable("CLICOLOR_FORCE"); !force.empty() && force != "0") return true;
  return isatty(fileno(stream)) != 0 && Variable("TERM") != "dumb";
}

}  // namespace stoker::cli
