#pragma once

#include <string>

namespace stoker::http {

// A URL as errors show it: without user, query and fragment, which may hold secrets.
std::string ShownUrl(const std::string& url);

}  // namespace stoker::http
