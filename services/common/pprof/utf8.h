#pragma once

#include <string_view>

namespace stoker::pprof {

// Whether `text` is UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing past
// U+10FFFF.
[[nodiscard]] bool IsUtf8(std::string_view text);

}  // namespace stoker::pprof
