#include "services/cli/help/man_page.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "services/cli/exit_status.h"

namespace stoker::cli {
namespace {

// Text without roff's own characters. A hyphen that is typed is a minus.
std::string Roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      // A line that begins so would be a request.
      if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) out += "\\&";
      out += c;
    }
  }
  return out;
}

std::string Upper(std::string text) {
  std::ranges::transform(text, text.begin(), ::toupper);
  return text;
}

// "[--pid VALUE]", "CONFIG", "[COMMAND ...]".
std::string Usage(const OptionText& option) {
  std::string text = option.positional;
  if (text.empty()) {
    text = option.names.back() + (option.value.empty() ? "" : " " + option.value);
  }
  if (option.many) text += " ...";
  return option.required ? text : "[" + text + "]";
}

std::string Options(const CommandText& command) {
  std::string text = ".SH OPTIONS\n";
  for (const OptionText& option : command.options) {
    std::string term = option.positional;
    if (term.empty()) term = fmt::format("{}", fmt::join(option.names, ", "));
    std::string value =
        option.value.empty() || !option.positional.empty() ? "" : " " + option.value;
    if (!option.choices.empty()) value = fmt::format(" {}", fmt::join(option.choices, "|"));
    std::string help = option.help;
    if (!option.default_value.empty()) help += fmt::format(" [{}]", option.default_value);
    text += fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", Roff(term), Roff(value), Roff(help));
  }
  return text;
}

// The footer's lines as they stand.
std::string Notes(const CommandText& command) {
  if (command.footer.empty()) return "";
  return fmt::format(".SH NOTES\n.nf\n{}\n.fi\n", Roff(command.footer));
}

std::string ExitStatus() {
  std::string text = ".SH EXIT STATUS\n";
  for (const ExitStatusText& status : kExitStatuses) {
    text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", status.number, Roff(std::string(status.meaning)));
  }
  return text;
}

constexpr char kEnvironment[] =
    ".SH ENVIRONMENT\n"
    ".TP\n\\fBNO_COLOR\\fR\nSet to anything: no colour, unless \\-\\-color=always.\n"
    ".TP\n\\fBCLICOLOR_FORCE\\fR\nSet to anything but 0: colour, also where there is no terminal.\n"
    ".TP\n\\fBNODE_NAME\\fR, \\fBHOSTNAME\\fR\nThe name of this machine.\n";

}  // namespace

std::string ManPage(const CommandText& program, const CommandText* command,
                    const std::string& version) {
  const CommandText& shown = command == nullptr ? program : *command;
  const std::string page = command == nullptr ? program.name : program.name + "-" + command->name;
  const std::string typed = command == nullptr ? program.name : program.name + " " + command->name;
  std::string text =
      fmt::format(".TH {} 1 \"\" \"{} {}\"\n", Roff(Upper(page)), program.name, version);
  std::string summary = shown.help.substr(0, shown.help.find(':'));
  text += fmt::format(".SH NAME\n{} \\- {}\n", Roff(page), Roff(summary));
  text += fmt::format(".SH SYNOPSIS\n.B {}\n", Roff(typed));
  for (const OptionText& option : shown.options) text += Roff(Usage(option)) + "\n";
  if (!shown.commands.empty()) text += "COMMAND ...\n";
  text += fmt::format(".SH DESCRIPTION\n{}\n", Roff(shown.help));
  if (!shown.commands.empty()) text += ".SH COMMANDS\n";
  for (const CommandText& each : shown.commands) {
    text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", Roff(each.name), Roff(each.help));
  }
  text += Options(shown);
  if (command != nullptr) text += Notes(shown);
  text += ExitStatus();
  text += kEnvironment;
  std::vector<std::string> others;
  if (command != nullptr) others.push_back(program.name);
  for (const CommandText& each : program.commands) {
    if (&each != command) others.push_back(program.name + "-" + each.name);
  }
  for (std::string& other : others) other = fmt::format("\\fB{}\\fR(1)", Roff(other));
  return text + fmt::format(".SH SEE ALSO\n{}\n", fmt::join(others, ", "));
}

}  // namespace stoker::cli
