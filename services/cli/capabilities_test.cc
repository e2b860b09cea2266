// Capabilities that a process lacks are named, those that it holds are not.
#include "services/cli/capabilities.h"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::array<std::string_view, 3> kWanted = {"cap_bpf", "cap_perfmon", "cap_sys_ptrace"};

TEST(CapabilitiesTest, Missing) {
  // Bits 39, 38 and 19 of linux/capability.h.
  EXPECT_THAT(MissingCapabilities("Uid:\t0\nCapEff:\t000001ffffffffff\n", kWanted), IsEmpty());
  EXPECT_THAT(
      MissingCapabilities("CapPrm:\t000001ffffffffff\nCapEff:\t0000000000080000\n", kWanted),
      ElementsAre("CAP_BPF", "CAP_PERFMON"));
  EXPECT_THAT(MissingCapabilities("", kWanted),
              ElementsAre("CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE"));
}

}  // namespace
}  // namespace stoker::cli
