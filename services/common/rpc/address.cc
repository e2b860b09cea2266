#include "services/common/rpc/address.h"

#include <charconv>

#include "services/common/base/status.h"

namespace stoker::rpc {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";

}  // namespace

bool Address::is_local() const {
  return is_unix() || host == "localhost" || host == "::1" || host.starts_with("127.");
}

absl::StatusOr<Address> ParseAddress(std::string_view text) {
  Address address;
  if (text.starts_with(kUnixPrefix)) {
    address.unix_path = text.substr(kUnixPrefix.size());
    if (address.unix_path.empty()) return InvalidArgument("address \"{}\": no path", text);
    return address;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return InvalidArgument("address \"{}\": want host:port or unix:/path", text);
  }
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) {
    return InvalidArgument("address \"{}\": \"{}\" is not a port", text, port);
  }
  address.host = host.empty() ? "0.0.0.0" : host;
  return address;
}

}  // namespace stoker::rpc
