#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stoker::http {

// Header fields in the order they came. Names compare without regard to case.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}

  void Add(std::string name, std::string value);
  // Replaces every field of that name.
  void Set(std::string name, std::string value);
  // The first value, or nothing.
  [[nodiscard]] std::optional<std::string_view> Get(std::string_view name) const;

  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& fields() const {
    return fields_;
  }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

struct Request {
  std::string method;
  // Percent-decoded path, without the query.
  std::string path;
  // As it came, without '?'.
  std::string query;
  Headers headers;
  // Whole body, transfer coding removed, content coding not.
  std::string body;
  // "1.0", "1.1" or "2".
  std::string version = "1.1";
  // "127.0.0.1:50124", or "unix".
  std::string peer;
  // What the body takes of the server's memory, given back when the last copy goes.
  std::shared_ptr<const void> lease;
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;
  // After the body: HTTP/2 trailers, for gRPC. Sent over HTTP/1.1 as chunked trailers.
  Headers trailers;
};

// Answers a request. Called on a worker thread of the server, several at once; it may block.
using Handler = std::function<Response(const Request&)>;

// A response of plain text.
Response Text(int status, std::string body);

// A response of JSON text.
Response Json(int status, std::string body);

}  // namespace stoker::http
