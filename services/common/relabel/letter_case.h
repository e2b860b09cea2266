#pragma once

#include <string>
#include <string_view>

namespace stoker::relabel {

// `text` with each letter mapped by Unicode's simple case mapping, as Go's strings.ToLower and
// ToUpper do; a byte that is not UTF-8 becomes U+FFFD.
std::string ToLower(std::string_view text);
std::string ToUpper(std::string_view text);

}  // namespace stoker::relabel
