#pragma once

#include <string>

namespace stoker::config {

// The text of a configuration file as UTF-8: one that begins with a UTF-16 byte order mark is
// converted, any other is returned as it is.
std::string DecodeSourceText(std::string bytes);

}  // namespace stoker::config
