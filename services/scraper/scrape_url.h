#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace stoker::scraper {

// Query parameters by name, each with its values in order.
using Parameters = std::map<std::string, std::vector<std::string>>;

// `<scheme>://<address><path>?<query>`. The path is `prefix` and `path` joined as Go's url.JoinPath
// does it: one slash between elements, `.` and `..` resolved, a last slash kept. The query is
// sorted by name, its blanks are `+`. What is not allowed in a place is percent-encoded there;
// `address` is taken as it is.
std::string MakeUrl(std::string_view scheme, std::string_view address, std::string_view prefix,
                    std::string_view path, const Parameters& parameters);

// `address` with the default port of `scheme` where it has none: 443 for https, else 80. IPv6
// literals stand in brackets; anything else that is no host and port is returned as it came.
std::string WithPort(std::string_view address, std::string_view scheme);

}  // namespace stoker::scraper
