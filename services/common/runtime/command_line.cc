#include "services/common/runtime/command_line.h"

#include <cstdlib>
#include <utility>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "services/common/runtime/version.h"

namespace stoker::runtime {
namespace {

// An empty value would take the next word of the command line for its own.
constexpr char kNoAddress[] = "none";

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

const std::map<std::string, log::Level> kLevels = {{"debug", log::Level::kDebug},
                                                   {"info", log::Level::kInfo},
                                                   {"warn", log::Level::kWarn},
                                                   {"error", log::Level::kError}};
const std::map<std::string, log::Format> kFormats = {{"logfmt", log::Format::kLogfmt},
                                                     {"json", log::Format::kJson}};

// The flags of every process. Names after a comma are Alloy's for the same.
void AddCommonFlags(CLI::App& app, const ServiceInfo& info, Options& options) {
  auto* config = app.add_option("--config", options.config,
                                "The configuration: a file, or a folder of *.alloy files");
  if (info.config_required) config->required();
  app.add_option("--run-dir", options.run_dir, "Folder of the Unix sockets")->capture_default_str();
  app.add_option("--data-dir,--storage.path", options.data_dir,
                 "Folder of what is kept on disk; this process uses <folder>/" + info.process)
      ->capture_default_str();
  app.add_option("--node-name", options.node_name, "Name of this machine")->capture_default_str();
  auto* http = app.add_option("--http.listen,--server.http.listen-addr", options.http_listen,
                              "HTTP address host:port, or none (metrics, health, state; also "
                              "on <run-dir>/" +
                                  info.process + ".http.sock)");
  auto* grpc = app.add_option(
      "--grpc.listen", options.grpc_listen,
      "gRPC address host:port, or none (also on <run-dir>/" + info.process + ".sock)");
  http->capture_default_str();
  grpc->capture_default_str();
  app.add_flag("--insecure", options.insecure, "Allow addresses off the loopback without TLS");
  app.add_option("--log.level", options.log_level, "debug, info, warn or error")
      ->transform(CLI::CheckedTransformer(kLevels))
      ->default_str("info");
  app.add_option("--log.format", options.log_format, "logfmt or json")
      ->transform(CLI::CheckedTransformer(kFormats))
      ->default_str("logfmt");
}

}  // namespace

std::string DefaultRunDir() {
  if (geteuid() == 0) return "/run/stoker";
  if (const std::string dir = Environment("XDG_RUNTIME_DIR"); !dir.empty()) return dir + "/stoker";
  return "/tmp/stoker-" + std::to_string(geteuid());
}

std::string DefaultDataDir() {
  if (geteuid() == 0) return "/var/lib/stoker";
  if (const std::string dir = Environment("XDG_STATE_HOME"); !dir.empty()) return dir + "/stoker";
  return Environment("HOME") + "/.local/state/stoker";
}

std::string DefaultNodeName() {
  for (const char* name : {"NODE_NAME", "HOSTNAME"}) {
    if (std::string value = Environment(name); !value.empty()) return value;
  }
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  return host;
}

CommandLine ParseCommandLine(int argc, const char* const* argv, const ServiceInfo& info) {
  CommandLine result;
  Options& options = result.options;
  options.run_dir = DefaultRunDir();
  options.data_dir = DefaultDataDir();
  options.node_name = DefaultNodeName();
  options.http_listen = info.http_listen;
  options.grpc_listen = info.grpc_listen;
  for (const ServiceInfo::Flag& flag : info.flags) options.flags[flag.name] = flag.value;

  CLI::App app(info.summary, "stoker-" + info.process);
  app.set_version_flag("--version", std::string("stoker ") + kVersion);
  AddCommonFlags(app, info, options);
  std::string stability_level;
  app.add_option("--stability.level", stability_level, "Accepted for Alloy's sake; has no effect")
      ->group("");
  for (const ServiceInfo::Flag& flag : info.flags) {
    app.add_option("--" + flag.name, options.flags[flag.name], flag.help)->capture_default_str();
  }
  try {
    app.parse(argc, argv);
    result.run = true;
  } catch (const CLI::CallForHelp&) {
    result.text = app.help();
  } catch (const CLI::CallForVersion& version) {
    result.text = std::string(version.what()) + "\n";
  } catch (const CLI::ParseError& error) {
    result.status = 2;
    result.text = "stoker-" + info.process + ": " + error.what() + "\nRun with --help for help.\n";
  }
  options.data_dir += "/" + info.process;
  for (std::string* address : {&options.http_listen, &options.grpc_listen}) {
    if (*address == kNoAddress) address->clear();
  }
  return result;
}

}  // namespace stoker::runtime
