#include "services/store/query_parameters.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace stoker::store {
namespace {

std::string Decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    const char* const digits = text.data() + i + 1;
    if (text[i] == '%' && text.size() - i > 2 &&
        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

}  // namespace

QueryParameters::QueryParameters(std::string_view query) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    parameters_.emplace_back(Decode(pair.substr(0, equals)),
                             Decode(pair.substr(std::min(pair.size(), equals + 1))));
  }
}

std::string QueryParameters::Get(std::string_view name) const {
  const auto it = std::ranges::find(parameters_, name, &std::pair<std::string, std::string>::first);
  return it == parameters_.end() ? "" : it->second;
}

}  // namespace stoker::store
