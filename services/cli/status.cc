#include "services/cli/status.h"

#include <cstdio>

#include <fmt/format.h>

#include "services/cli/status_report.h"
#include "services/common/base/status.h"
#include "services/common/http/client.h"

namespace stoker::cli {
namespace {

// It waits up to 5 s for each process.
constexpr absl::Duration kTimeout = absl::Seconds(60);
constexpr std::size_t kMaxBodyBytes = std::size_t{256} << 20;

absl::StatusOr<nlohmann::json> AskState(const std::string& address) {
  const auto client = http::Client::Make({});
  STOKER_ASSIGN_OR_RETURN(const http::Response response,
                          client->Do({.url = "http://" + address + "/debug/state",
                                      .timeout = kTimeout,
                                      .max_body_bytes = kMaxBodyBytes}));
  nlohmann::json state = nlohmann::json::parse(response.body, nullptr, false);
  if (response.status != 200 || !state.is_object()) {
    return InvalidArgument("{} is not the address of `stoker run`", address);
  }
  return state;
}

}  // namespace

int Status(const StatusOptions& options) {
  const auto state = AskState(options.address);
  if (!state.ok()) {
    fmt::print(stderr, "stoker: {}\nIs `stoker run` running? --address names another one.\n",
               Message(state.status()));
    return 1;
  }
  const nlohmann::ordered_json report = MakeStatusReport(*state);
  fmt::print("{}", options.json ? report.dump(2, ' ', false,
                                              nlohmann::ordered_json::error_handler_t::replace) +
                                      "\n"
                                : StatusText(report));
  return report["healthy"] == true ? 0 : 1;
}

}  // namespace stoker::cli
