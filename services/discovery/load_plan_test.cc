#include "services/discovery/load_plan.h"

#include <fstream>
#include <iterator>
#include <map>

#include <gtest/gtest.h>

#include "services/discovery/discovery.h"
#include "services/discovery/fake_sources.h"

namespace stoker::discovery {
namespace {

// The environment of a test: its own variables, no files.
class FakeEnvironment final : public config::Environment {
 public:
  [[nodiscard]] std::string Variable(const std::string& name) const override {
    const auto it = variables.find(name);
    return it == variables.end() ? "" : it->second;
  }
  [[nodiscard]] std::string Hostname() const override { return "here"; }
  [[nodiscard]] absl::StatusOr<std::string> ReadFile(const std::string&,
                                                     std::size_t) const override {
    return absl::NotFoundError("no files");
  }
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> ListFolder(
      const std::string&) const override {
    return absl::NotFoundError("no folders");
  }

  std::map<std::string, std::string> variables;
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::shared_ptr<const HostProcess> MakeProcess(int pid, std::string exe, std::string commandline,
                                               std::string container_id = "") {
  return std::make_shared<const HostProcess>(HostProcess{{.key = {pid, 1},
                                                          .exe = std::move(exe),
                                                          .cwd = "/srv",
                                                          .commandline = std::move(commandline),
                                                          .container_id = std::move(container_id),
                                                          .uid = 1000},
                                                         "app"});
}

HostProcessesPtr Processes() {
  auto kernel_thread = std::make_shared<HostProcess>(*MakeProcess(2, "", ""));
  kernel_thread->process.missing = procfs::kExe | procfs::kCwd;
  return std::make_shared<const HostProcesses>(HostProcesses{
      kernel_thread,
      MakeProcess(10, "/opt/stoker/stoker-forwarder", "/opt/stoker/stoker-forwarder --config x"),
      MakeProcess(11, "/usr/bin/python3.11", "python3 -u -X dev /srv/jobs/train.py --epochs 3"),
      MakeProcess(12, "/usr/bin/python3.11", "python3 -m gunicorn app:app"),
      MakeProcess(13, "/usr/bin/python3.11", "python3 -c import_app; app.run()"),
      MakeProcess(14, "/usr/bin/node", "node server.mjs"),
      MakeProcess(15, "/usr/lib/postgresql/15/bin/postgres (deleted)", "postgres: writer"),
      MakeProcess(16, "/usr/bin/perl", "/usr/bin/perl -w /usr/sbin/munin-node --foreground"),
      MakeProcess(30, "/usr/lib/jvm/bin/java", "java -jar /app/orders.jar", std::string(64, 'c')),
  });
}

class LoadPlanTest : public ::testing::Test {
 protected:
  absl::StatusOr<PlanPtr> Load(const std::string& text, const Plan* last = nullptr) {
    auto configuration = config::Configuration::Parse("test.alloy", text, environment_);
    if (!configuration.ok()) return configuration.status();
    EXPECT_TRUE((*configuration)->warnings().empty());
    return LoadPlan(*configuration, last);
  }

  // What a consumer's `targets` hold, a line each; without labels that begin with "__" if `own`.
  static std::string Targets(const PlanPtr& plan, const std::string& consumer, bool own = false) {
    FakeSources sources;
    TargetGraph graph(sources, [] {});
    graph.SetPlan(plan);
    graph.SetProcesses(Processes());
    const TargetOutput& output = graph.Evaluate({consumer, "targets"}, "here");
    EXPECT_TRUE(output.status.ok()) << output.status;
    std::string text;
    for (const model::TargetPtr& target : *output.targets) {
      model::Labels labels;
      for (const model::LabelView label : target->labels) {
        if (!own || !label.name.starts_with("__")) labels.Set(label.name, label.value);
      }
      text += std::string(target->id.view()) + " " + labels.ToString() + "\n";
    }
    return text;
  }

  FakeEnvironment environment_;
};

// The seeds' processes, kept by exe, for the profiler of native code.
TEST_F(LoadPlanTest, SeedJava) {
  const std::string folder = "services/discovery/testdata/";
  const auto plan = Load(ReadFile(folder + "seed_java.alloy"));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(Targets(*plan, "pyroscope.ebpf.java"), ReadFile(folder + "seed_java.golden"));
}

// The lab names programs, scripts, modules, jars and containers.
TEST_F(LoadPlanTest, Lab) {
  const auto plan = Load(ReadFile("deploy/lab/lab.alloy"));
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(Targets(*plan, "pyroscope.ebpf.host", true),
            ReadFile("services/discovery/testdata/lab.golden"));
}

constexpr char kWrite[] = R"(
pyroscope.write "w" { endpoint { url = "http://127.0.0.1:4040" } }
)";

// Targets written out, alone and beside a component's; each has an id of its own.
TEST_F(LoadPlanTest, StaticTargets) {
  const auto plan = Load(std::string(kWrite) + R"(
discovery.process "all" { }
pyroscope.ebpf "host" {
  forward_to = [pyroscope.write.w.receiver]
  targets = concat([{"__process_pid__" = "1", "service_name" = "init"},
                    {"__process_pid__" = "2", "service_name" = "two"}],
                   discovery.process.all.targets)
})");
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ((*plan)->arguments.begin()->second->references(),
            (std::vector<std::string>{"discovery.process.all"}));
  const std::string targets = Targets(*plan, "pyroscope.ebpf.host");
  EXPECT_NE(targets.find(R"({__process_pid__="1", service_name="init"})"), targets.npos);
  EXPECT_NE(targets.find("process/10/1 "), targets.npos);
}

constexpr char kRelabel[] = R"(
discovery.process "all" { }
discovery.relabel "r" {
  targets = discovery.process.all.targets
  rule {
    source_labels = ["__meta_process_exe"]
    regex         = sys.env("REGEX")
    target_label  = "service_name"
  }
}
pyroscope.ebpf "host" {
  forward_to = [pyroscope.write.w.receiver]
  targets = discovery.relabel.r.output
})";

// Every source of the language has its arguments read, the seeds' too.
TEST_F(LoadPlanTest, Sources) {
  const auto plan = Load(R"(
discovery.dns "x" { names = ["a.example"] }
discovery.docker "x" { host = "unix:///var/run/docker.sock" }
discovery.dockerswarm "x" {
  host = "unix:///var/run/docker.sock"
  role = "nodes"
}
discovery.file "x" { files = ["/etc/targets/*.json"] }
discovery.http "x" { url = "http://127.0.0.1:1/targets" }
discovery.kubelet "x" { }
discovery.kubernetes "x" { role = "pod" }
)");
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE((*plan)->stale.empty());
  EXPECT_EQ((*plan)->components.size(), 7u);
  for (const auto& [id, component] : (*plan)->components) {
    EXPECT_TRUE(std::holds_alternative<SourceComponent>(component)) << id;
  }
}

// A component that is refused at a reload keeps its last definition and says so; at the start it
// gives nothing, until it is put right.
TEST_F(LoadPlanTest, BadComponentKeepsItsLastDefinition) {
  const std::string text = std::string(kWrite) + kRelabel;
  environment_.variables["REGEX"] = "(";
  const auto broken = Load(text);
  ASSERT_TRUE(broken.ok()) << broken.status();
  EXPECT_NE((*broken)->stale.at("discovery.relabel.r").message().find("missing )"),
            std::string::npos);
  environment_.variables["REGEX"] = ".*/(stoker-.*)";
  const auto good = Load(text, broken->get());
  ASSERT_TRUE(good.ok()) << good.status();
  environment_.variables["REGEX"] = "(";
  const auto reloaded = Load(text, good->get());
  ASSERT_TRUE(reloaded.ok()) << reloaded.status();
  EXPECT_TRUE((*reloaded)->stale.contains("discovery.relabel.r"));
  EXPECT_NE(Targets(*reloaded, "pyroscope.ebpf.host").find("service_name=\"stoker-forwarder\""),
            std::string::npos);
}

}  // namespace
}  // namespace stoker::discovery
