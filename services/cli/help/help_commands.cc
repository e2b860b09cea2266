#include "services/cli/help/help_commands.h"

#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "services/cli/exit_status.h"
#include "services/cli/help/completion.h"
#include "services/cli/help/man_page.h"
#include "services/common/runtime/version.h"

namespace stoker::cli {
namespace {

using Shell = std::string (*)(const CommandText&);
const std::map<std::string, Shell> kShells = {
    {"bash", BashCompletion}, {"fish", FishCompletion}, {"zsh", ZshCompletion}};

}  // namespace

void AddHelpCommands(CLI::App& app, int& status) {
  auto shell = std::make_shared<std::string>();
  CLI::App* completion =
      app.add_subcommand("completion", "Print a script that completes this command line");
  completion->footer(
      "Examples:\n"
      "  source <(stoker completion bash)\n"
      "  stoker completion zsh > /usr/share/zsh/vendor-completions/_stoker\n"
      "  stoker completion fish > ~/.config/fish/completions/stoker.fish");
  completion->add_option("SHELL", *shell, "The shell to write it for")
      ->required()
      ->check(CLI::IsMember({"bash", "fish", "zsh"}));
  completion->callback([&app, shell] { fmt::print("{}", kShells.at(*shell)(ReadCommands(app))); });

  auto name = std::make_shared<std::string>();
  CLI::App* man = app.add_subcommand("man", "Print a manual page");
  man->footer("Example:\n  stoker man record | man -l -");
  man->add_option("COMMAND", *name, "The command; without it the page of stoker itself");
  man->callback([&app, name, &status] {
    const CommandText program = ReadCommands(app);
    const CommandText* command = program.Find(*name);
    if (!name->empty() && command == nullptr) {
      fmt::print(stderr, "stoker: there is no command {}\n", *name);
      status = kExitUsage;
      return;
    }
    fmt::print("{}", ManPage(program, command, runtime::kVersion));
  });
}

}  // namespace stoker::cli
