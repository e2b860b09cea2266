// Each cause of "no data" that is injected into a healthy host or instance is named first, and
// nothing is named where all is well.
#include "services/cli/doctor/diagnose.h"

#include <functional>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/cli/doctor/host_checks.h"
#include "services/cli/doctor/metric_text.h"
#include "services/cli/doctor/system_host.h"
#include "services/common/base/status.h"

namespace stoker::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kNow = 1'700'000'000;

// A machine on which everything is as it should be.
class FakeHost final : public Host {
 public:
  std::string release = "6.1.0-13-amd64";
  std::map<std::string, std::string> files = {
      {"/sys/kernel/btf/vmlinux", "\x9f\xeb"},
      {"/proc/self/status", "Name:\tstoker\nCapEff:\t000001ffffffffff\n"},
      {"/proc/sys/kernel/perf_event_paranoid", "2\n"},
      {"/proc/sys/kernel/kptr_restrict", "1\n"},
      {"/sys/kernel/security/lockdown", "[none] integrity confidentiality\n"},
      {"/sys/fs/cgroup/cgroup.controllers", "cpu memory\n"},
      {"/proc/net/tcp", "  sl  local_address rem_address   st\n"},
  };
  absl::Status ring_buffer;
  Space space = {.free_bytes = std::uint64_t{50} << 30, .total_bytes = std::uint64_t{100} << 30};
  absl::Status writable;
  std::map<std::uint64_t, std::string> owners;
  bool synchronized = true;
  absl::Status configuration;

  [[nodiscard]] std::string KernelRelease() const override { return release; }
  [[nodiscard]] absl::StatusOr<std::string> ReadFile(const std::string& path) const override {
    const auto found = files.find(path);
    if (found == files.end()) return NotFound("{}: No such file or directory", path);
    return found->second;
  }
  [[nodiscard]] absl::Status TryRingBuffer() const override { return ring_buffer; }
  [[nodiscard]] absl::StatusOr<Space> DiskSpace(const std::string&) const override { return space; }
  [[nodiscard]] absl::Status CheckWritable(const std::string&) const override { return writable; }
  [[nodiscard]] std::string SocketOwner(std::uint64_t inode) const override {
    const auto found = owners.find(inode);
    return found == owners.end() ? "" : found->second;
  }
  [[nodiscard]] bool ClockSynchronized() const override { return synchronized; }
  [[nodiscard]] absl::Status CheckConfiguration(const std::string&) const override {
    return configuration;
  }

  // Somebody listens on a port.
  void Listen(int port, std::uint64_t inode, const std::string& owner) {
    files["/proc/net/tcp"] += fmt::format(
        "   0: 0100007F:{:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0       "
        " "
        "0 {} 1\n",
        port, inode);
    owners[inode] = owner;
  }
};

// What `stoker run` of the lab answers where all is well; cut from a real one.
constexpr char kState[] = R"({
  "process": "stoker",
  "processes": [
    {"name": "store", "state": "ready", "pid": 1, "restarts": 0, "last_end": ""},
    {"name": "forwarder", "state": "ready", "pid": 2, "restarts": 0, "last_end": ""},
    {"name": "symbolizer", "state": "ready", "pid": 3, "restarts": 0, "last_end": ""},
    {"name": "ebpf-collector", "state": "ready", "pid": 4, "restarts": 0, "last_end": ""},
    {"name": "discovery", "state": "ready", "pid": 5, "restarts": 0, "last_end": ""}
  ],
  "state": {
    "store": {"process": "store", "ready": true, "components": []},
    "forwarder": {
      "components": [{"id": "pyroscope.write.store", "health": "healthy", "message": ""}],
      "forwarder": {
        "spool": {"bytes": 1000, "full": false,
                  "consumers": [{"name": "pyroscope.write.store", "backlog_bytes": 1000}]},
        "endpoints": [{"component": "pyroscope.write.store", "down": false, "sent": 40}]
      }
    },
    "symbolizer": {"components": [], "symbolizer": {"forwarder_connected": true}},
    "ebpf-collector": {
      "components": [{"id": "pyroscope.ebpf.host", "health": "healthy", "message": ""}],
      "ebpf": {"components": [{"id": "pyroscope.ebpf.host", "targets": 41}]}
    },
    "discovery": {
      "components": [{"id": "discovery.process.host", "health": "healthy", "message": ""}],
      "discovery": {"components": [
        {"id": "discovery.process.host", "running": true, "ready": true, "targets": 41, "dropped": 9},
        {"id": "discovery.relabel.host", "running": true, "ready": true, "targets": 41, "dropped": 0}
      ]}
    }
  }
})";

// Counters of an instance; what is not given is 0.
std::string Metrics(double in, double no_target, double too_old = 0) {
  return fmt::format(
      "# TYPE stoker_ebpf_collector_in counter\n"
      "stoker_ebpf_collector_in{{process=\"ebpf-collector\"}} {}\n"
      "stoker_ebpf_collector_dropped{{process=\"ebpf-collector\",reason=\"no_target\"}} {}\n"
      "stoker_forwarder_dropped{{process=\"forwarder\",reason=\"too_old\"}} {}\n",
      in, no_target, too_old);
}

// A healthy host with a healthy instance, to be damaged.
struct World {
  FakeHost host;
  InstanceView view = {.state = nlohmann::json::parse(kState),
                       .metrics = Metrics(2000, 10),
                       .metrics_before = Metrics(1000, 10),
                       .now = absl::FromUnixSeconds(kNow)};

  nlohmann::json& Process(const std::string& name) {
    for (nlohmann::json& process : view.state["processes"]) {
      if (process["name"] == name) return process;
    }
    return view.state;
  }
  void Dies(const std::string& name) {
    Process(name)["state"] = "restarting";
    Process(name)["last_end"] = "signal 9";
    view.state["state"][name] = "Connection refused";
  }
  nlohmann::json& CollectorComponent() {
    return view.state["state"]["ebpf-collector"]["ebpf"]["components"][0];
  }
  nlohmann::json& DiscoveryComponent(int n) {
    return view.state["state"]["discovery"]["discovery"]["components"][n];
  }
  // The words of the forwarder's endpoint, a minute ago.
  void EndpointFails(const std::string& error, bool down) {
    nlohmann::json& endpoint = view.state["state"]["forwarder"]["forwarder"]["endpoints"][0];
    endpoint["down"] = down;
    endpoint["last_error"] = error;
    endpoint["last_error_time"] =
        absl::FormatTime(view.now - absl::Minutes(1), absl::UTCTimeZone());
    nlohmann::json& component = view.state["state"]["forwarder"]["components"][0];
    component["health"] = "unhealthy";
    component["message"] = error;
  }
  void Answers(int status, const std::string& message) {
    EndpointFails(fmt::format("pyroscope write error: status={} msg={}", status, message), true);
  }

  [[nodiscard]] Checks Diagnosed() const {
    return Diagnose(host, {.config = "my.alloy", .data_dir = "/data"}, view);
  }
};

// What is told first: the worst, in the order of looking.
Check First(const Checks& checks) {
  for (const Check::Level level : {Check::Level::kError, Check::Level::kWarning}) {
    for (const Check& check : checks) {
      if (check.level == level) return check;
    }
  }
  return {.id = "none"};
}

TEST(DiagnoseTest, AllIsWell) {
  const Checks checks = World().Diagnosed();
  EXPECT_EQ(First(checks).id, "none") << ToText(checks, false);
  EXPECT_FALSE(HasError(checks));
  EXPECT_EQ(checks.back().detail, "5 processes, all well");
}

struct Cause {
  std::string name;
  std::string id;
  std::function<void(World&)> inject;
};

class CauseTest : public testing::TestWithParam<Cause> {};

TEST_P(CauseTest, IsNamedFirst) {
  World world;
  GetParam().inject(world);
  const Checks checks = world.Diagnosed();
  const Check first = First(checks);
  EXPECT_EQ(first.id, GetParam().id) << ToText(checks, false);
  EXPECT_FALSE(first.title.empty());
  EXPECT_FALSE(first.remedy.empty()) << first.id;
}

INSTANTIATE_TEST_SUITE_P(
    NoData, CauseTest,
    testing::Values(
        // Of the host.
        Cause{"OldKernel", "kernel", [](World& w) { w.host.release = "5.10.0-28-amd64"; }},
        Cause{"NoBtf", "btf", [](World& w) { w.host.files.erase("/sys/kernel/btf/vmlinux"); }},
        Cause{"NoPrivilege", "capabilities",
              [](World& w) {
                w.host.files["/proc/self/status"] = "CapEff:\t0000000000000000\n";
                w.Dies("ebpf-collector");
                w.host.ring_buffer = absl::PermissionDeniedError("bpf: not permitted");
              }},
        Cause{"Lockdown", "lockdown",
              [](World& w) {
                w.host.files["/sys/kernel/security/lockdown"] = "none integrity [confidentiality]";
              }},
        Cause{"NoRingBuffer", "ring_buffer",
              [](World& w) {
                w.host.ring_buffer = absl::PermissionDeniedError("seccomp");
                w.Dies("ebpf-collector");
              }},
        Cause{"DataFolderReadOnly", "data_dir",
              [](World& w) {
                w.host.writable = absl::FailedPreconditionError("/data: Read-only file system");
              }},
        Cause{"DiskFull", "disk", [](World& w) { w.host.space.free_bytes = 1000; }},
        Cause{"ClockFree", "clock", [](World& w) { w.host.synchronized = false; }},
        Cause{"BadConfiguration", "configuration",
              [](World& w) { w.host.configuration = InvalidArgument("my.alloy:1:1: no"); }},
        Cause{"PortInUse", "port.12345",
              [](World& w) { w.host.Listen(12345, 777, "nginx, pid 42"); }},
        // Of processes.
        Cause{"DiscoveryDown", "process.discovery",
              [](World& w) {
                w.Dies("discovery");
                auto& component = w.view.state["state"]["ebpf-collector"]["components"][0];
                component["health"] = "unhealthy";
                component["message"] = "discovery: connection refused";
              }},
        Cause{"SymbolizerDown", "process.symbolizer", [](World& w) { w.Dies("symbolizer"); }},
        Cause{"ForwarderDown", "process.forwarder",
              [](World& w) {
                w.Dies("forwarder");
                w.view.state["state"]["symbolizer"]["symbolizer"]["forwarder_connected"] = false;
              }},
        Cause{"StoreHangs", "process.store",
              [](World& w) { w.view.state["state"]["store"] = "deadline exceeded"; }},
        Cause{"ComponentUnhealthy", "component.discovery.process.host",
              [](World& w) {
                auto& component = w.view.state["state"]["discovery"]["components"][0];
                component["health"] = "unhealthy";
                component["message"] = "/proc: Permission denied";
              }},
        // Of targets and samples.
        Cause{"RelabelDropsEverything", "relabel",
              [](World& w) {
                w.DiscoveryComponent(1)["targets"] = 0;
                w.DiscoveryComponent(1)["dropped"] = 41;
                w.CollectorComponent()["targets"] = 0;
                w.view.metrics = Metrics(2000, 1010);
              }},
        Cause{"NoTargets", "targets",
              [](World& w) {
                w.CollectorComponent()["targets"] = 0;
                w.view.metrics = Metrics(2000, 1010);
              }},
        Cause{"NoMatchingTarget", "no_target",
              [](World& w) { w.view.metrics = Metrics(2000, 1010); }},
        Cause{"NoSamples", "samples", [](World& w) { w.view.metrics = w.view.metrics_before; }},
        // On the way.
        Cause{"WrongUrl", "endpoint.unreachable",
              [](World& w) {
                w.EndpointFails(
                    "POST http://127.0.0.1:1/push.v1.PusherService/Push: Failed to connect to "
                    "127.0.0.1 port 1 after 0 ms: Couldn't connect to server",
                    true);
              }},
        Cause{"Tls", "endpoint.tls",
              [](World& w) {
                w.EndpointFails("POST https://p: SSL peer certificate or SSH remote key was not OK",
                                true);
              }},
        Cause{"Unauthorized", "endpoint.unauthorized", [](World& w) { w.Answers(401, "no"); }},
        Cause{"Forbidden", "endpoint.forbidden", [](World& w) { w.Answers(403, "no"); }},
        Cause{"NotFound", "endpoint.not_found",
              [](World& w) { w.Answers(404, "404 page not found"); }},
        Cause{"Invalid", "endpoint.invalid", [](World& w) { w.Answers(422, "too many labels"); }},
        Cause{"Failing", "endpoint.failing", [](World& w) { w.Answers(502, "bad gateway"); }},
        Cause{"StoreFull", "store.full",
              [](World& w) { w.Answers(503, "store: write head.log: No space left on device"); }},
        Cause{"StoreReadOnly", "store.readonly",
              [](World& w) { w.Answers(503, "store: open head.log: Read-only file system"); }},
        Cause{"TooOld", "clock.skew", [](World& w) { w.view.metrics = Metrics(2000, 10, 300); }},
        Cause{"SpoolFull", "forwarder.full",
              [](World& w) {
                w.view.state["state"]["forwarder"]["forwarder"]["spool"]["full"] = true;
              }},
        Cause{"LongQueue", "forwarder.queue",
              [](World& w) {
                w.view.state["state"]["forwarder"]["forwarder"]["spool"]["consumers"][0]
                            ["backlog_bytes"] = 100 << 20;
              }}),
    [](const auto& tested) { return tested.param.name; });

// Asked by anybody, beside an instance of root's: what the asker may not do is no finding.
TEST(DiagnoseTest, NotRootBesideAnInstance) {
  World world;
  world.host.files["/proc/self/status"] = "CapEff:\t0000000000000000\n";
  world.host.ring_buffer = absl::PermissionDeniedError("bpf: not permitted");
  world.host.Listen(12345, 7, "");
  const Checks checks = world.Diagnosed();
  EXPECT_EQ(First(checks).id, "none") << ToText(checks, false);
}

// A refusal that names the window of time is the clock's, whatever its status.
TEST(DiagnoseTest, IngestionWindow) {
  World world;
  world.Answers(422, "profile with labels '{}' is outside of ingestion window");
  EXPECT_EQ(First(world.Diagnosed()).id, "clock.skew");
}

// An error that is long over is not told.
TEST(DiagnoseTest, OldError) {
  World world;
  world.EndpointFails("pyroscope write error: status=401 msg=no", false);
  world.view.now += absl::Hours(1);
  EXPECT_EQ(First(world.Diagnosed()).id, "none");
}

// Counters since the start say nothing of now.
TEST(DiagnoseTest, FirstLook) {
  World world;
  world.view.metrics_before.clear();
  world.view.metrics = Metrics(0, 0, 500);
  EXPECT_EQ(First(world.Diagnosed()).id, "none");
}

TEST(DiagnoseTest, NothingRuns) {
  const World world;
  const Checks checks = Diagnose(world.host, {.config = {}, .data_dir = "/data"}, std::nullopt);
  EXPECT_EQ(checks.back().id, "instance");
  EXPECT_EQ(First(checks).id, "none");
}

// State of another form, or hostile, is looked at without harm.
TEST(DiagnoseTest, StrangeState) {
  for (
      const char* text :
      {"{}", "[]", "1", R"({"processes": 1, "state": []})",
       R"({"processes": [1, {}], "state": {"x": 1}})",
       R"({"state": {"forwarder": {"components": [1], "forwarder": {"spool": 1, "endpoints": [1]}}}})",
       R"({"state": {"ebpf-collector": {"ebpf": []}, "discovery": {"discovery": {"components": [1]}}}})",
       R"({"state": {"discovery": {"discovery": {"components": [{"running": 1}]}}}})",
       R"({"state": {"forwarder": {"forwarder": {"endpoints": [{"last_error": "x", "last_error_time": "2023-11-14T22:13:20Z", "down": "no"}]}}}})"}) {
    CheckInstance({.state = nlohmann::json::parse(text),
                   .metrics = "x\ny 1\n{",
                   .metrics_before = "",
                   .now = absl::FromUnixSeconds(kNow)});
  }
}

TEST(HostChecksTest, PortsAndTheirHolders) {
  FakeHost host;
  host.Listen(4040, 5, "stoker-store, pid 7");
  host.Listen(4041, 6, "java, pid 9");
  EXPECT_EQ(CheckPort(host, {4040, "the store", "--store.listen", false}, true).detail,
            "held by stoker-store, pid 7");
  const Check taken = CheckPort(host, {4041, "the forwarder", "", true}, true);
  EXPECT_EQ(taken.level, Check::Level::kError);
  EXPECT_EQ(taken.detail, "by java, pid 9");
  EXPECT_EQ(CheckPort(host, {4042, "the symbolizer", "", true}, true).detail, "free");
}

TEST(HostChecksTest, KernelNames) {
  FakeHost host;
  host.files["/proc/sys/kernel/kptr_restrict"] = "2\n";
  EXPECT_EQ(CheckKptrRestrict(host).level, Check::Level::kWarning);
  EXPECT_EQ(CheckKptrRestrict(host).remedy, "sysctl kernel.kptr_restrict=1");
}

// Only kernels before 5.11 count BPF maps as locked memory.
TEST(HostChecksTest, Memlock) {
  FakeHost host;
  host.files["/proc/self/limits"] =
      "Max locked memory         65536                65536     bytes\n";
  EXPECT_EQ(CheckMemlock(host).level, Check::Level::kOk);
  host.release = "5.4.0";
  EXPECT_EQ(CheckMemlock(host).level, Check::Level::kError);
  host.files["/proc/self/limits"] =
      "Max locked memory         unlimited            unlimited bytes\n";
  EXPECT_EQ(CheckMemlock(host).level, Check::Level::kOk);
}

// The real machine answers every question.
TEST(HostChecksTest, SystemHost) {
  const auto host = MakeSystemHost();
  EXPECT_THAT(host->KernelRelease(), Not(""));
  EXPECT_TRUE(host->ReadFile("/proc/self/status").ok());
  EXPECT_FALSE(host->ReadFile("/no/such/file").ok());
  EXPECT_TRUE(host->CheckWritable(testing::TempDir() + "/not/yet").ok());
  EXPECT_GT(host->DiskSpace(testing::TempDir())->total_bytes, 0U);
  EXPECT_EQ(host->SocketOwner(1), "");
  EXPECT_FALSE(host->CheckConfiguration("/no/such/file.alloy").ok());
}

TEST(CheckTest, TextAndJson) {
  const Checks checks = {{"a", Check::Level::kOk, "fine", "", ""},
                         {"b", Check::Level::kWarning, "odd", "so", "do this"},
                         {"c", Check::Level::kError, "bad", "thus", "do that"}};
  EXPECT_EQ(
      ToText(checks, false),
      "error    bad: thus\n         → do that\nwarning  odd: so\n         → do this\nok       "
      "fine\n");
  EXPECT_THAT(ToText(checks, true), HasSubstr("\033[31merror"));
  EXPECT_EQ(
      ToJson({checks[1]}).dump(),
      R"({"checks":[{"id":"b","level":"warning","title":"odd","detail":"so","remedy":"do this"}]})");
}

TEST(MetricTextTest, Sum) {
  const std::string text = "# HELP a b\na 1\na{x=\"1\"} 2\nab 9\na{x=\"2\"} 4\n";
  EXPECT_EQ(SumMetric(text, "a"), 7);
  EXPECT_EQ(SumMetric(text, "a", "x=\"2\""), 4);
  EXPECT_EQ(SumMetric(text, "c"), 0);
}

}  // namespace
}  // namespace stoker::cli
