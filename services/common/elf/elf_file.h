#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "services/common/elf/byte_source.h"

namespace stoker::elf {

// A section header; numbers as in the System V ABI, 32-bit fields widened.
struct Section {
  std::string name;
  std::uint32_t type = 0;
  std::uint64_t flags = 0;
  std::uint64_t address = 0;
  // Where its bytes stand in the source it is read from.
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint32_t link = 0;
  std::uint32_t info = 0;
  std::uint64_t entry_size = 0;
  // Whether the source has its bytes: not so of SHT_NOBITS, and of ranges past the file's end.
  bool has_data = false;
};

// A program header.
struct Segment {
  std::uint32_t type = 0;
  std::uint32_t flags = 0;
  std::uint64_t offset = 0;
  std::uint64_t address = 0;
  std::uint64_t file_size = 0;
  std::uint64_t memory_size = 0;
  std::uint64_t alignment = 0;
};

// The headers of an ELF file.
struct ElfFile {
  // ELFCLASS32 or ELFCLASS64.
  std::uint8_t elf_class = 0;
  // ELFDATA2LSB; other byte orders are refused.
  std::uint8_t elf_data = 0;
  std::uint16_t type = 0;
  std::uint16_t machine = 0;
  // The address where a program begins, or 0.
  std::uint64_t entry = 0;
  std::vector<Section> sections;
  std::vector<Segment> segments;

  // The first section of that name, or nullptr.
  [[nodiscard]] const Section* FindSection(std::string_view name) const;
};

inline constexpr std::uint64_t kMaxFileBytes = std::uint64_t{4} << 30;
inline constexpr std::uint32_t kMaxSections = 65'536;
inline constexpr std::uint32_t kMaxSegments = 4'096;
inline constexpr std::size_t kMaxSectionNameBytes = 256;

// Reads the headers. Every number is checked against the file's size before anything is allocated
// for it. INVALID_ARGUMENT names what is wrong.
absl::StatusOr<ElfFile> ReadElfFile(const ByteSource& source);

// The name at `offset` of a string table, at most `max_bytes` of it; empty past its end.
std::string_view StringAt(std::string_view table, std::uint64_t offset, std::size_t max_bytes);

}  // namespace stoker::elf
