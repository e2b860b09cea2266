#include "services/cli/help/command_tree.h"

#include <algorithm>
#include <sstream>

namespace stoker::cli {
namespace {

// "TEXT:{auto->0,never->2}" → auto, never. CLI11 writes so what IsMember and CheckedTransformer
// allow.
std::vector<std::string> Choices(const std::string& type) {
  const std::size_t open = type.find('{');
  const std::size_t close = type.find('}', open);
  if (open == std::string::npos || close == std::string::npos) return {};
  std::istringstream list(type.substr(open + 1, close - open - 1));
  std::vector<std::string> choices;
  for (std::string choice; std::getline(list, choice, ',');) {
    choices.push_back(choice.substr(0, choice.find("->")));
  }
  return choices;
}

OptionText ReadOption(const CLI::Option& option) {
  OptionText text{.help = option.get_description(),
                  .default_value = option.get_default_str(),
                  .required = option.get_required()};
  for (const std::string& name : option.get_snames()) text.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) text.names.push_back("--" + name);
  if (option.get_items_expected_max() > 0) {
    text.value = "VALUE";
    text.choices = Choices(option.get_type_name());
  }
  if (option.get_positional()) {
    text.positional = option.get_name(true);
    text.many = option.get_items_expected_max() > 1;
    text.names.clear();
  }
  return text;
}

}  // namespace

const CommandText* CommandText::Find(const std::string& command) const {
  const auto found = std::ranges::find(commands, command, &CommandText::name);
  return found == commands.end() ? nullptr : &*found;
}

CommandText ReadCommands(const CLI::App& app) {
  CommandText text{
      .name = app.get_name(), .help = app.get_description(), .footer = app.get_footer()};
  for (const CLI::Option* option : app.get_options()) {
    // An option of no group is hidden.
    if (!option->get_group().empty()) text.options.push_back(ReadOption(*option));
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    text.commands.push_back(ReadCommands(*command));
  }
  return text;
}

}  // namespace stoker::cli
