#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "bpf/shared/interpreter_frame.h"

namespace stoker::ebpf {

// A frame of Python as it stands in a user stack (bpf/shared/interpreter_frame.h).
struct PythonFrame {
  // What tells a code object from another: its address, and the low 31 bits of its first line.
  struct Code {
    std::uint64_t address = 0;
    std::uint32_t check = 0;
    bool operator==(const Code&) const = default;
  };
  Code code;
  // In bytes from the code's first, or STOKER_NOT_STARTED.
  std::uint32_t instruction = 0;
};

// How many words of a stack it takes.
inline constexpr std::size_t kPythonFrameWords = 2;

// The frame whose words begin at `index`; none: an address stands there. Such words come in pairs.
inline std::optional<PythonFrame> PythonFrameAt(std::span<const __u64> stack, std::size_t index) {
  const std::uint64_t tag = stoker_interpreted_code(STOKER_LANGUAGE_PYTHON, 0);
  if (index + 1 >= stack.size() || stack[index] >> 56 != tag >> 56) return std::nullopt;
  const std::uint64_t place = stack[index + 1];
  if ((place & STOKER_INTERPRETED) == 0) return std::nullopt;
  return PythonFrame{.code = {.address = stack[index] & ((1ull << 56) - 1),
                              .check = static_cast<std::uint32_t>(place >> 32) & 0x7fffffff},
                     .instruction = static_cast<std::uint32_t>(place)};
}

}  // namespace stoker::ebpf
