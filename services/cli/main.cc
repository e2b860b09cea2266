// The command that users type: it runs the processes of a machine and asks them how they are.
#include <CLI/CLI.hpp>

#include "services/cli/configuration_commands.h"
#include "services/cli/doctor/doctor_command.h"
#include "services/cli/exit_status.h"
#include "services/cli/help/help_commands.h"
#include "services/cli/record/record_command.h"
#include "services/cli/run.h"
#include "services/cli/status.h"
#include "services/common/runtime/command_line.h"
#include "services/common/runtime/version.h"

namespace stoker::cli {
namespace {

constexpr char kSummary[] =
    "Continuous profiling for Linux: finds programs, samples their stacks, names them and ships "
    "the "
    "profiles, as a pipeline of small processes that `stoker run` starts and watches.";

void AddRunFlags(CLI::App& app, RunOptions& options) {
  app.add_option("--bin-dir", options.bin_dir, "Folder of the processes' binaries");
  // Defaults that differ between machines are told in words: pages are made of them.
  app.add_option("--run-dir", options.run_dir,
                 "Folder of the Unix sockets; without it /run/stoker as root, else below "
                 "XDG_RUNTIME_DIR");
  app.add_option("--data-dir,--storage.path", options.data_dir,
                 "Folder of what is kept on disk; without it /var/lib/stoker as root, else below "
                 "XDG_STATE_HOME");
  app.add_option("--node-name", options.node_name,
                 "Name of this machine; without it NODE_NAME, HOSTNAME or its host name");
  app.add_option("--http.listen,--server.http.listen-addr", options.http_listen,
                 "Address of metrics, health and state of all processes")
      ->capture_default_str();
  app.add_option("--store.listen", options.store_listen,
                 "Address of the store: its API and the page")
      ->capture_default_str();
  app.add_option("--log.level", options.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.add_option("--log.format", options.log_format, "logfmt or json")
      ->check(CLI::IsMember({"logfmt", "json"}))
      ->capture_default_str();
  app.add_flag("--insecure", options.insecure, "Allow addresses off the loopback without TLS");
}

int Main(int argc, char** argv) {
  RunOptions options;
  options.run_dir = runtime::DefaultRunDir();
  options.data_dir = runtime::DefaultDataDir();
  options.node_name = runtime::DefaultNodeName();

  CLI::App app(kSummary, "stoker");
  app.set_version_flag("--version", std::string("stoker ") + runtime::kVersion);
  app.footer(ExitStatusFooter());
  app.require_subcommand(1);
  int status = 0;

  CLI::App* run = app.add_subcommand("run", "Start what a configuration needs and keep it running");
  run->add_option("CONFIG", options.config, "A file, or a folder of *.alloy files")->required();
  CLI::Option* store = run->add_flag("--store{}", options.store_dir,
                                     "Add the embedded store; its data in --store=DIR");
  AddRunFlags(*run, options);
  run->callback([&] {
    options.with_store = store->count() > 0;
    status = Run(options);
  });

  CLI::App* lab = app.add_subcommand(
      "lab", "Profile this whole host into the embedded store and print the page's URL");
  AddRunFlags(*lab, options);
  lab->callback([&] {
    options.with_store = true;
    status = Run(options);
  });

  StatusOptions asked;
  CLI::App* state = app.add_subcommand("status", "Tell how what runs is, and what is wrong");
  state->add_option("--address", asked.address, "Address of `stoker run` (its --http.listen)")
      ->capture_default_str();
  state->add_flag("--json", asked.json, "The same for programs");
  state->callback([&] { status = Status(asked); });
  AddDoctorCommand(app, status);
  AddRecordCommand(app, status);

  ValidateOptions validation;
  CLI::App* validate = app.add_subcommand("validate", "Check a configuration without running it");
  validate->add_option("CONFIG", validation.path, "A file, or a folder of *.alloy files")
      ->required();
  validate->add_flag("--strict", validation.strict, "Deprecated names are errors");
  validate->add_flag("--skip-unknown", validation.skip_unknown,
                     "Leave out components of other families, such as prometheus.*");
  validate->callback([&] { status = Validate(validation); });

  FormatOptions formatting;
  CLI::App* format = app.add_subcommand("fmt", "Format a configuration file");
  format->alias("format");
  format->add_option("FILE", formatting.path, "The file; - is standard input")
      ->capture_default_str();
  format->add_flag("-w,--write", formatting.write, "Write the file instead of standard output");
  format->add_flag("-t,--test", formatting.test, "Only tell whether the file is formatted");
  format->callback([&] { status = Format(formatting); });

  AddHelpCommands(app, status);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 prints help on standard output and errors on standard error.
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  return status;
}

}  // namespace
}  // namespace stoker::cli

int main(int argc, char** argv) { return stoker::cli::Main(argc, argv); }
