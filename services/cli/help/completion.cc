#include "services/cli/help/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stoker::cli {
namespace {

std::string Replaced(std::string text, std::string_view what, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
  return text;
}

// Between the single quotes of a shell.
std::string Quoted(const std::string& text) { return Replaced(text, "'", "'\\''"); }

// Between the brackets of zsh's _arguments, in single quotes.
std::string ZshText(std::string text) {
  for (const char* special : {"\\", "[", "]", ":"}) {
    text = Replaced(text, special, std::string("\\") + special);
  }
  return Quoted(text);
}

std::vector<std::string> Names(const CommandText& program) {
  std::vector<std::string> names;
  for (const CommandText& command : program.commands) names.push_back(command.name);
  return names;
}

// Its options, and the values of its positionals.
std::vector<std::string> Words(const CommandText& command) {
  std::vector<std::string> words;
  for (const OptionText& option : command.options) {
    words.insert(words.end(), option.names.begin(), option.names.end());
    if (!option.positional.empty()) {
      words.insert(words.end(), option.choices.begin(), option.choices.end());
    }
  }
  return words;
}

// The cases of bash's value completion: "command option" → its values, or files.
std::string BashValues(const CommandText& command) {
  std::string cases;
  for (const OptionText& option : command.options) {
    if (option.value.empty() || option.names.empty()) continue;
    std::vector<std::string> patterns;
    for (const std::string& name : option.names) {
      patterns.push_back(fmt::format("\"{} {}\"", command.name, name));
    }
    cases += fmt::format("    {})\n", fmt::join(patterns, " | "));
    if (!option.choices.empty()) {
      cases += fmt::format("      COMPREPLY=($(compgen -W '{}' -- \"$current\"))\n",
                           fmt::join(option.choices, " "));
    }
    cases += "      return ;;\n";
  }
  return cases;
}

}  // namespace

std::string BashCompletion(const CommandText& program) {
  std::string values;
  std::string words = fmt::format("    '') words='{} {}' ;;\n", fmt::join(Names(program), " "),
                                  fmt::join(Words(program), " "));
  for (const CommandText& command : program.commands) {
    values += BashValues(command);
    words += fmt::format("    {}) words='{}' ;;\n", command.name, fmt::join(Words(command), " "));
  }
  return fmt::format(R"(# bash completion of {0}: source <({0} completion bash)
_{0}() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}
  local command='' words='' i
  COMPREPLY=()
  # --option=value comes as three words.
  if [[ $current == '=' ]]; then
    current=''
  elif [[ $previous == '=' ]]; then
    previous=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  for ((i = 1; i < COMP_CWORD; ++i)); do
    # What follows -- is another program's.
    [[ ${{COMP_WORDS[i]}} == '--' ]] && return
    if [[ -z $command ]]; then
      case ${{COMP_WORDS[i]}} in
        {1}) command=${{COMP_WORDS[i]}} ;;
      esac
    fi
  done
  case "$command $previous" in
{2}  esac
  case $command in
{3}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -o bashdefault -F _{0} {0}
)",
                     program.name, fmt::join(Names(program), " | "), values, words);
}

std::string ZshCompletion(const CommandText& program) {
  std::string commands;
  std::string cases;
  for (const CommandText& command : program.commands) {
    commands += fmt::format("    '{}:{}'\n", command.name, ZshText(command.help));
    std::string arguments;
    for (const OptionText& option : command.options) {
      const std::string values =
          option.choices.empty() ? "_files" : fmt::format("({})", fmt::join(option.choices, " "));
      if (!option.positional.empty()) {
        arguments += fmt::format(" \\\n        '{}:{}:{}'", option.many ? "*" : "",
                                 option.positional, values);
        continue;
      }
      for (const std::string& name : option.names) {
        const bool equals = !option.value.empty() && name.starts_with("--");
        arguments +=
            fmt::format(" \\\n        '{}{}[{}]{}'", name, equals ? "=" : "", ZshText(option.help),
                        option.value.empty() ? "" : ":value:" + values);
      }
    }
    cases += fmt::format("    {})\n      _arguments{} ;;\n", command.name, arguments);
  }
  return fmt::format(R"(#compdef {0}
# zsh completion of {0}: {0} completion zsh > a folder of $fpath, as _{0}
_{0}() {{
  local -a commands
  commands=(
{1}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
{2}  esac
}}
_{0} "$@"
)",
                     program.name, commands, cases);
}

std::string FishCompletion(const CommandText& program) {
  std::string text =
      fmt::format("# fish completion of {0}: {0} completion fish | source\n", program.name);
  for (const CommandText& command : program.commands) {
    text += fmt::format("complete -c {} -n __fish_use_subcommand -f -a {} -d '{}'\n", program.name,
                        command.name, Quoted(command.help));
    for (const OptionText& option : command.options) {
      std::string line = fmt::format("complete -c {} -n '__fish_seen_subcommand_from {}'",
                                     program.name, command.name);
      for (const std::string& name : option.names) {
        const bool is_long = name.starts_with("--");
        line += fmt::format(" {} {}", is_long ? "-l" : "-s", name.substr(is_long ? 2 : 1));
      }
      if (!option.choices.empty()) {
        line += fmt::format(" -x -a '{}'", fmt::join(option.choices, " "));
      } else if (!option.positional.empty()) {
        continue;
      } else if (!option.value.empty()) {
        line += " -r";
      }
      text += line + fmt::format(" -d '{}'\n", Quoted(option.help));
    }
  }
  return text;
}

}  // namespace stoker::cli
