#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace stoker::ebpf::unwind {

// What comparing a file's table with libdw's reading of its .eh_frame and .debug_frame gave. Rules
// are compared by what they compute: both sides are applied to the same made-up registers and
// memory.
struct OracleResult {
  std::uint64_t addresses = 0;
  std::uint64_t agreeing = 0;
  // Differences that are meant, by name: padding between functions that keeps the rule before it.
  std::map<std::string, std::uint64_t> intended;
  // Disagreements by kind, and some of them in words.
  std::map<std::string, std::uint64_t> disagreeing;
  std::vector<std::string> examples;

  std::uint64_t text_bytes = 0;
  // Bytes that the kernel takes of the table: pages and rules.
  std::uint64_t kernel_bytes = 0;
  std::uint64_t raw_rows = 0;
  std::uint64_t folded_rows = 0;
};

// Compares at the first, the last and a middle byte of every row of either side, and at
// `random_addresses` of the text. An error: the file cannot be read, or has nothing to compare.
absl::StatusOr<OracleResult> CompareWithLibdw(const std::string& path, int random_addresses);

}  // namespace stoker::ebpf::unwind
