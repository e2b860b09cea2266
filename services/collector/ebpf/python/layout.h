#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <absl/status/statusor.h>

#include "bpf/shared/python.h"

namespace stoker::ebpf {

// Where CPython 3.8 to 3.14 keep what naming a code object needs: offsets in bytes from the
// object's start. Of a version's headers (Include/cpython/code.h, unicodeobject.h, bytesobject.h),
// or, from 3.13 on, from the `_Py_DebugOffsets` at the head of `_PyRuntime` (Include/internal/
// pycore_debug_offsets.h).
struct PythonCodeLayout {
  // 0x030b is 3.11.
  std::uint16_t version = 0;
  // PyCodeObject: pointers to str objects; `qualname` 0 before 3.11.
  std::uint16_t filename = 0;
  std::uint16_t name = 0;
  std::uint16_t qualname = 0;
  // int
  std::uint16_t first_line = 0;
  // Pointer to a bytes object: co_lnotab before 3.10, co_linetable since.
  std::uint16_t line_table = 0;
  // The first instruction: within the object since 3.11, 0 before.
  std::uint16_t instructions = 0;
  // A compact str (PyASCIIObject): its state bits, its length, and where its characters begin when
  // it is ASCII, and when it is not.
  std::uint16_t str_state = 0;
  std::uint16_t str_length = 0;
  std::uint16_t str_ascii = 0;
  std::uint16_t str_other = 0;
  // A bytes object: its length, and where its bytes begin.
  std::uint16_t bytes_size = 0;
  std::uint16_t bytes_data = 0;
  bool operator==(const PythonCodeLayout&) const = default;
};

// The layout of a version whose files do not tell it, 3.8 to 3.12; nothing of others.
std::optional<PythonCodeLayout> FindPythonCodeLayout(std::uint16_t version);

// What `_PyRuntime` begins with since 3.13, at most.
inline constexpr std::size_t kPythonDebugOffsetsBytes = 1024;

// The layout that `bytes`, the head of `_PyRuntime` of 3.13 or 3.14, tells. INVALID_ARGUMENT says
// what is wrong with it, or that it is of another version.
absl::StatusOr<PythonCodeLayout> ReadPythonCodeLayout(std::string_view bytes);

// As the two above, of what the stack walker reads. Of 3.14 without a GIL nothing is told: its
// instructions have several copies.
std::optional<stoker_python_layout> FindPythonWalkLayout(std::uint16_t version);
absl::StatusOr<stoker_python_layout> ReadPythonWalkLayout(std::string_view bytes);

}  // namespace stoker::ebpf
