// Proves that the tables of Debian's own binaries say what libdw reads in their call frame
// information, on at least 99.99 % of addresses. `unwind_oracle` does so for any files.
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "services/collector/ebpf/unwind/cfi_oracle.h"

namespace stoker::ebpf::unwind {
namespace {

const std::vector<std::string>& Files() {
  static const std::vector<std::string> files = {
      "/usr/lib/x86_64-linux-gnu/libc.so.6",
      "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
      "/usr/lib/x86_64-linux-gnu/libm.so.6",
      "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
      "/usr/lib/x86_64-linux-gnu/libgcc_s.so.1",
      "/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
      "/usr/lib/x86_64-linux-gnu/libssl.so.3",
      "/usr/lib/x86_64-linux-gnu/libz.so.1",
      "/usr/lib/x86_64-linux-gnu/libzstd.so.1",
      "/usr/lib/x86_64-linux-gnu/libelf.so.1",
      "/usr/lib/x86_64-linux-gnu/libdw.so.1",
      "/usr/lib/x86_64-linux-gnu/libcurl.so.4",
      "/usr/lib/x86_64-linux-gnu/libgmp.so.10",
      "/usr/lib/x86_64-linux-gnu/libffi.so.8",
      "/usr/lib/x86_64-linux-gnu/liblzma.so.5",
      "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0",
      "/usr/bin/bash",
      "/usr/bin/ls",
      "/usr/bin/tar",
      "/usr/bin/perl",
      "/usr/bin/git",
      "/usr/bin/openssl",
      "/usr/bin/make",
      "/usr/bin/x86_64-linux-gnu-as",
      "/usr/bin/readelf",
      "/proc/self/exe",
  };
  return files;
}

TEST(UnwindOracleTest, TablesAgreeWithLibdw) {
  OracleResult sum;
  int compared = 0;
  for (const std::string& path : Files()) {
    const auto result = CompareWithLibdw(path, 1000);
    if (!result.ok()) continue;
    ++compared;
    sum.addresses += result->addresses;
    sum.agreeing += result->agreeing;
    sum.kernel_bytes += result->kernel_bytes;
    sum.raw_rows += result->raw_rows;
    EXPECT_GE(result->agreeing, result->addresses - result->addresses / 1000)
        << path << "\n"
        << fmt::format("{}", fmt::join(result->examples, "\n"));
  }
  EXPECT_GE(compared, 20);
  EXPECT_GT(sum.addresses, 500'000U);
  EXPECT_GE(sum.agreeing, sum.addresses - sum.addresses / 10'000);
  // Rows of dense C code: over a whole host it is 2.05 bytes.
  EXPECT_LE(sum.kernel_bytes * 100, sum.raw_rows * 240);
}

}  // namespace
}  // namespace stoker::ebpf::unwind
