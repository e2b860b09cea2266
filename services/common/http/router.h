#pragma once

#include <map>
#include <string>
#include <utility>

#include "services/common/http/message.h"

namespace stoker::http {

// Sends a request to the handler of its path: an exact path first, else the longest registered path
// that ends in '/' and begins it. 404 where there is none, 405 with Allow for another method.
// Filled before serving starts, then only read.
class Router {
 public:
  // `method` is one word such as "GET", or "*" for all. GET also answers HEAD.
  void Add(std::string method, std::string path, Handler handler);

  [[nodiscard]] Response Route(const Request& request) const;

 private:
  using Methods = std::map<std::string, Handler>;
  [[nodiscard]] const Methods* Find(const std::string& path) const;

  std::map<std::string, Methods> paths_;
};

}  // namespace stoker::http
