#include "services/cli/process_table.h"

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const ProcessSpec& Spec(std::string_view name) {
  return *std::ranges::find(ProcessTable(), name, &ProcessSpec::name);
}

// A configuration starts what its components need, receivers first.
TEST(ProcessTableTest, ProcessesFor) {
  EXPECT_THAT(ProcessesFor({"discovery.process", "pyroscope.ebpf", "pyroscope.write"}, true),
              ElementsAre("store", "forwarder", "symbolizer", "ebpf-collector", "discovery"));
  EXPECT_THAT(ProcessesFor({"pyroscope.scrape", "pyroscope.write"}, false),
              ElementsAre("forwarder", "scraper", "discovery"));
  EXPECT_THAT(ProcessesFor({"pyroscope.receive_http", "pyroscope.write"}, false),
              ElementsAre("forwarder"));
  EXPECT_THAT(ProcessesFor({"discovery.process"}, false), ElementsAre("discovery"));
}

// Discovery holds capabilities only for the processes of others.
TEST(ProcessTableTest, DiscoveryCapabilities) {
  EXPECT_THAT(CapabilitiesOf(Spec("discovery"), {"discovery.docker"}), IsEmpty());
  EXPECT_THAT(CapabilitiesOf(Spec("discovery"), {"discovery.process"}),
              ElementsAre("cap_sys_ptrace", "cap_dac_read_search"));
}

// Nobody who holds a capability has a network listener, discovery apart, whose part for processes
// drops its own; uids differ; every process has its place in the order of stopping.
TEST(ProcessTableTest, Invariants) {
  std::set<int> uids;
  const auto stop_order = StopOrder();
  EXPECT_EQ(stop_order.size(), ProcessTable().size());
  for (const ProcessSpec& process : ProcessTable()) {
    EXPECT_TRUE(uids.insert(process.uid_offset).second) << process.name;
    EXPECT_NE(std::ranges::find(stop_order, process.name), stop_order.end()) << process.name;
    if (process.name == "discovery") continue;
    EXPECT_TRUE(process.capabilities.empty() || process.http_listen.empty()) << process.name;
  }
}

}  // namespace
}  // namespace stoker::cli
