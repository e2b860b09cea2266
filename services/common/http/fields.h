#pragma once

#include <string>
#include <string_view>

namespace stoker::http {

// Names compare without regard to case.
[[nodiscard]] bool SameName(std::string_view a, std::string_view b);

// Whether `name` is a token (RFC 9110, 5.6.2).
[[nodiscard]] bool IsFieldName(std::string_view name);

// `value` with what would end or cut a field (control characters) replaced by spaces.
[[nodiscard]] std::string FieldValue(std::string_view value);

// Whether a comma separated list such as Accept-Encoding holds `coding` with a weight above 0.
[[nodiscard]] bool ListHolds(std::string_view list, std::string_view coding);

// The media type of a Content-Type: without parameters, in lower case.
[[nodiscard]] std::string MediaType(std::string_view content_type);

}  // namespace stoker::http
