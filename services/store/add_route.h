#pragma once

#include <functional>
#include <string>

#include "services/common/http/message.h"

namespace stoker::store {

// Adds a handler of a method and a path.
using AddRoute = std::function<void(std::string method, std::string path, http::Handler handler)>;

}  // namespace stoker::store
