#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "services/collector/ebpf/unwind/elf_rows.h"
#include "services/collector/ebpf/unwind/table_format.h"

namespace stoker::ebpf::unwind {

// A table in memory, before it is a file.
struct TableContent {
  std::uint32_t machine = 0;
  std::uint64_t text_bytes = 0;
  // As described, before equal neighbours were joined.
  std::uint64_t raw_rows = 0;
  // Rows of the pages, after folding.
  std::uint64_t folded_rows = 0;
  // Pages that were too dense for their size: they say that nothing is known.
  std::uint64_t dense_pages = 0;
  std::vector<Rule> rules;
  // `offset` counts from the beginning of `bodies`.
  std::vector<TablePage> pages;
  std::string bodies;
};

// Text between functions without a description gets the rule NONE, unless it is no more than this:
// then it is padding, and the rule before it goes on.
inline constexpr std::uint32_t kMaxPaddingBytes = 15;

// Puts rows into pages and folds them.
TableContent BuildTable(const ElfRows& rows);

// The bytes of the file, for tests and small tables.
std::string ToBytes(const TableContent& content);

// Writes the file to `fd`, which is empty, by pwrite.
absl::Status WriteTable(const TableContent& content, int fd);

}  // namespace stoker::ebpf::unwind
