#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stoker::store {

// The parameters of a URL's query, percent-decoded, '+' for a space, in their order.
class QueryParameters {
 public:
  explicit QueryParameters(std::string_view query);

  // The first of that name, "" without one.
  [[nodiscard]] std::string Get(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> parameters_;
};

}  // namespace stoker::store
