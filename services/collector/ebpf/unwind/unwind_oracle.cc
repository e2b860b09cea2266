// Compares the unwind tables of the files given as arguments, or listed on standard input, with
// libdw's reading of their call frame information. Prints a line for each file, then sums; every
// disagreement is counted by kind, with examples. Exits 1 below 99.99 %.

#include <iostream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "services/collector/ebpf/unwind/cfi_oracle.h"
#include "services/common/base/status.h"

int main(int argc, char** argv) {
  using namespace stoker::ebpf::unwind;
  std::vector<std::string> paths(argv + 1, argv + argc);
  if (paths.empty()) {
    for (std::string line; std::getline(std::cin, line);) paths.push_back(line);
  }
  OracleResult sum;
  int files = 0;
  for (const std::string& path : paths) {
    const auto result = CompareWithLibdw(path, 10'000);
    if (!result.ok()) {
      fmt::print("{}: {}\n", path, stoker::Message(result.status()));
      continue;
    }
    ++files;
    fmt::print(
        "{}: {} of {} addresses agree; {:.1f} kB per MB of text\n", path, result->agreeing,
        result->addresses,
        1e3 * static_cast<double>(result->kernel_bytes) / static_cast<double>(result->text_bytes));
    for (const std::string& example : result->examples) fmt::print("    {}\n", example);
    sum.addresses += result->addresses;
    sum.agreeing += result->agreeing;
    sum.text_bytes += result->text_bytes;
    sum.kernel_bytes += result->kernel_bytes;
    sum.raw_rows += result->raw_rows;
    sum.folded_rows += result->folded_rows;
    for (const auto& [kind, count] : result->intended) sum.intended[kind] += count;
    for (const auto& [kind, count] : result->disagreeing) sum.disagreeing[kind] += count;
  }
  const double share = 100 * static_cast<double>(sum.agreeing) /
                       static_cast<double>(std::max<std::uint64_t>(sum.addresses, 1));
  fmt::print("{} files, {} addresses, {:.5f} % agree\n", files, sum.addresses, share);
  for (const auto& [kind, count] : sum.intended) fmt::print("  meant: {}: {}\n", kind, count);
  for (const auto& [kind, count] : sum.disagreeing) fmt::print("  differ: {}: {}\n", kind, count);
  fmt::print("{:.1f} MB of text, {} rows, {} after folding, {:.1f} kB per MB, {:.2f} bytes a row\n",
             static_cast<double>(sum.text_bytes) / 1e6, sum.raw_rows, sum.folded_rows,
             1e3 * static_cast<double>(sum.kernel_bytes) / static_cast<double>(sum.text_bytes),
             static_cast<double>(sum.kernel_bytes) / static_cast<double>(sum.raw_rows));
  return share >= 99.99 ? 0 : 1;
}
