#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace stoker::cli {

// The command line as it is defined, in a form that pages and completions are made of: so they
// always say what --help says.
struct OptionText {
  // With their dashes, the short one first; none of a positional.
  std::vector<std::string> names;
  // Of a positional: "CONFIG".
  std::string positional;
  std::string help;
  // What its value is called; "" for a flag.
  std::string value;
  // All values it takes, where they are few.
  std::vector<std::string> choices;
  std::string default_value;
  bool required = false;
  // Takes any number of words.
  bool many = false;
};

struct CommandText {
  std::string name;
  std::string help;
  std::string footer;
  std::vector<OptionText> options;
  std::vector<CommandText> commands;

  // Nothing where there is none.
  [[nodiscard]] const CommandText* Find(const std::string& command) const;
};

CommandText ReadCommands(const CLI::App& app);

}  // namespace stoker::cli
