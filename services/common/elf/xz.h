#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace stoker::elf {

// What an .xz stream holds: .gnu_debugdata is one, an ELF file with a symbol table alone.
// RESOURCE_EXHAUSTED where it would be more than `max_bytes`, or needs more than 128 MiB to be
// read; INVALID_ARGUMENT where it is not whole.
absl::StatusOr<std::string> InflateXz(std::string_view bytes, std::uint64_t max_bytes);

}  // namespace stoker::elf
