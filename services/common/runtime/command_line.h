#pragma once

#include <map>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "services/common/log/log.h"

namespace stoker::runtime {

// What a binary says of itself.
struct ServiceInfo {
  // "forwarder": names the sockets, the metrics and the log lines.
  std::string process;
  // For --help: one paragraph that a stranger understands.
  std::string summary;
  // The HTTP address without --http.listen; "" in a process with capabilities: its Unix socket
  // only.
  std::string http_listen;
  // The TCP address of gRPC without --grpc.listen; "" for its Unix socket only.
  std::string grpc_listen;
  bool config_required = true;
  // Further flags: name without dashes, default, help.
  struct Flag {
    std::string name;
    std::string value;
    std::string help;
  };
  std::vector<Flag> flags;
  // The largest body that the HTTP server takes.
  std::size_t http_max_body_bytes = 4 << 20;
};

// The command line, read.
struct Options {
  // A file or a folder of *.alloy; "" where none was given.
  std::string config;
  // Sockets: <run_dir>/<process>.sock and <run_dir>/<process>.http.sock.
  std::string run_dir;
  // This process' own folder: <--data-dir>/<process>.
  std::string data_dir;
  std::string node_name;
  std::string http_listen;
  std::string grpc_listen;
  bool insecure = false;
  log::Level log_level = log::Level::kInfo;
  log::Format log_format = log::Format::kLogfmt;
  // ServiceInfo::flags, by name.
  std::map<std::string, std::string> flags;
};

// What the command line asks for: to run with `options`, or to print `text` and exit with `status`
// (--help, --version: 0 on standard output; a wrong command line: 2 on standard error).
struct CommandLine {
  bool run = false;
  Options options;
  int status = 0;
  std::string text;
};

// Arguments of the process and the environment's NODE_NAME and HOSTNAME.
CommandLine ParseCommandLine(int argc, const char* const* argv, const ServiceInfo& info);

// Where sockets and data are without a flag: /run/stoker and /var/lib/stoker as root, else below
// XDG_RUNTIME_DIR (or /tmp/stoker-<uid>) and XDG_STATE_HOME (or ~/.local/state).
std::string DefaultRunDir();
std::string DefaultDataDir();

// --node-name's default: NODE_NAME, else HOSTNAME, else the machine's host name.
std::string DefaultNodeName();

}  // namespace stoker::runtime
