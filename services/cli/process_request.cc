#include "services/cli/process_request.h"

#include <utility>

#include <absl/strings/ascii.h>

#include "services/common/base/status.h"

namespace stoker::cli {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(5);
// /debug/state of a host with thousands of targets.
constexpr std::size_t kMaxBodyBytes = std::size_t{32} << 20;

}  // namespace

ProcessRequests::ProcessRequests(std::string run_dir)
    : run_dir_(std::move(run_dir)), client_(http::Client::Make({})) {}

absl::StatusOr<http::Response> ProcessRequests::Send(const std::string& process,
                                                     const std::string& method,
                                                     const std::string& path) const {
  return client_->Do({.method = method,
                      .url = "http://localhost" + path,
                      .timeout = kTimeout,
                      .max_body_bytes = kMaxBodyBytes,
                      .unix_socket = run_dir_ + "/" + process + ".http.sock"});
}

absl::Status ProcessRequests::Reload(const std::string& process) const {
  const auto response = Send(process, "POST", "/-/reload");
  if (!response.ok() || response->status == 200) return absl::OkStatus();
  return InvalidArgument("{}", std::string(absl::StripAsciiWhitespace(response->body)));
}

}  // namespace stoker::cli
