#include "services/cli/configuration.h"

#include <utility>

#include "services/cli/lab_configuration.h"
#include "services/common/base/status.h"
#include "services/common/config/configuration.h"

namespace stoker::cli {
namespace {

// As the language's parser has it.
constexpr std::size_t kMaxBytes = 10 << 20;

absl::StatusOr<CheckedConfiguration> CheckText(const std::string& name, std::string text,
                                               const config::Environment& environment) {
  STOKER_ASSIGN_OR_RETURN(const auto configuration,
                          config::Configuration::Parse(name, text, environment));
  return CheckedConfiguration{.components = configuration->ids(),
                              .text = std::move(text),
                              .warnings = configuration->warnings()};
}

}  // namespace

absl::StatusOr<CheckedConfiguration> CheckConfiguration(const std::string& path,
                                                        const config::Environment& environment) {
  const auto files = environment.ListFolder(path);
  if (!files.ok()) {
    STOKER_ASSIGN_OR_RETURN(std::string text, environment.ReadFile(path, kMaxBytes));
    return CheckText(path, std::move(text), environment);
  }
  // Diagnostics name the files; what runs is their text together.
  STOKER_RETURN_IF_ERROR(config::Configuration::Load(path, environment).status());
  std::string text;
  for (const std::string& file : *files) {
    STOKER_ASSIGN_OR_RETURN(const std::string part, environment.ReadFile(file, kMaxBytes));
    text += part;
    if (!text.ends_with('\n')) text += '\n';
  }
  return CheckText(path, std::move(text), environment);
}

absl::StatusOr<CheckedConfiguration> CheckLabConfiguration(const config::Environment& environment) {
  return CheckText("lab.alloy", kLabConfiguration, environment);
}

}  // namespace stoker::cli
