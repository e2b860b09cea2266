#pragma once

#include <string>
#include <string_view>

namespace stoker {

// What stands for bytes that are not UTF-8.
inline constexpr char32_t kReplacementCharacter = 0xFFFD;

// Takes one code point off the front of `text`, which is not empty. A byte that begins no valid
// sequence (overlong forms, surrogates and cut sequences included) is taken alone and gives
// kReplacementCharacter, as Go's `range` over a string has it.
char32_t TakeCodePoint(std::string_view& text);

// Appends `point`, a Unicode scalar value.
void AppendCodePoint(char32_t point, std::string& text);

// `text` with each byte that is not UTF-8 replaced. For file names and command lines, which may
// hold any byte, before they become labels: protobuf refuses strings that are not UTF-8.
std::string ToValidUtf8(std::string_view text);

}  // namespace stoker
