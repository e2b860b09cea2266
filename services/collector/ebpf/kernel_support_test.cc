// Proves which kernels are accepted, and that a refusal names the kernel.
#include "services/collector/ebpf/kernel_support.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::ebpf {
namespace {

TEST(CheckKernelRelease, NeedsFiveFifteen) {
  EXPECT_TRUE(CheckKernelRelease("5.15.0-91-generic").ok());
  EXPECT_TRUE(CheckKernelRelease("6.1.0").ok());
  EXPECT_FALSE(CheckKernelRelease("4.19.0").ok());
  const absl::Status status = CheckKernelRelease("5.10.0-28-amd64");
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("5.10.0-28-amd64"));
}

}  // namespace
}  // namespace stoker::ebpf
