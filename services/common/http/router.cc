#include "services/common/http/router.h"

namespace stoker::http {

void Router::Add(std::string method, std::string path, Handler handler) {
  paths_[std::move(path)][std::move(method)] = std::move(handler);
}

const Router::Methods* Router::Find(const std::string& path) const {
  if (const auto it = paths_.find(path); it != paths_.end()) return &it->second;
  for (std::size_t slash = path.rfind('/'); slash != std::string::npos;
       slash = slash == 0 ? std::string::npos : path.rfind('/', slash - 1)) {
    if (const auto it = paths_.find(path.substr(0, slash + 1)); it != paths_.end()) {
      return &it->second;
    }
  }
  return nullptr;
}

Response Router::Route(const Request& request) const {
  const Methods* methods = Find(request.path);
  if (methods == nullptr) return Text(404, "404 page not found\n");
  for (const std::string& method : {request.method, std::string("*")}) {
    if (const auto it = methods->find(method); it != methods->end()) return it->second(request);
  }
  if (const auto get = methods->find("GET"); request.method == "HEAD" && get != methods->end()) {
    return get->second(request);
  }
  Response response = Text(405, "method not allowed\n");
  std::string allow;
  for (const auto& [method, handler] : *methods) allow += (allow.empty() ? "" : ", ") + method;
  response.headers.Add("Allow", allow);
  return response;
}

}  // namespace stoker::http
