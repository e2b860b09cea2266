#include "tests/pipeline/pipeline.h"

#include <filesystem>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace stoker::pipeline {
namespace {

constexpr int kRate = 97;
constexpr std::uint64_t kStartTicks = 100;

ebpf::ComponentSettings ComponentTo(const std::string& receiver) {
  ebpf::ComponentSettings settings{.id = "pyroscope.ebpf.host"};
  settings.arguments.forward_to = {receiver};
  return settings;
}

sample::v1::PushRequest Hello(const std::string& receiver) {
  sample::v1::PushRequest request;
  sample::v1::Hello& hello = *request.mutable_hello();
  hello.set_node_id("node");
  hello.set_component_id("pyroscope.ebpf.host");
  hello.add_receivers(receiver);
  hello.set_run_id(1);
  hello.set_demangle(sample::v1::Hello::DEMANGLE_SIMPLIFIED);
  for (sample::v1::ValueType* type : {hello.mutable_sample_type(), hello.mutable_period_type()}) {
    type->set_type("cpu");
    type->set_unit("nanoseconds");
  }
  hello.set_period(ebpf::Sampler::PeriodNs(kRate));
  return request;
}

// The sum of a metric over its labels, from the text that Prometheus reads.
std::uint64_t Sum(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  double sum = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + " ") || line.starts_with(name + "{")) {
      sum += std::stod(line.substr(line.rfind(' ')));
    }
  }
  return static_cast<std::uint64_t>(sum);
}

std::string NewFolder() {
  static int number = 0;
  const std::string folder = fmt::format("{}/pipeline_{}", ::testing::TempDir(), ++number);
  std::filesystem::remove_all(folder);
  return folder;
}

}  // namespace

// The symbolizer's core, and the ends of its two streams.
struct Pipeline::SymbolizerProcess final : symbolizer::ProfileSink, symbolizer::Symbolizer::Stream {
  SymbolizerProcess(Random& random, Clock& clock, ebpf::BatchQueue& batches)
      : queue(batches),
        wants({}, random, [](const std::string&) { return 0; }),
        core({}, clock, *tables, wants, *this, metrics) {}
  ~SymbolizerProcess() override { std::filesystem::remove_all(folder); }

  void Send(std::shared_ptr<const profile::v1::Profile> profile) override {
    profiles.push_back(std::move(profile));
  }
  void Respond(const sample::v1::PushResponse& response) override { queue.Apply(response); }
  void ReadMore() override { ++reads; }
  void Close(const absl::Status& status) override { ADD_FAILURE() << status; }

  ebpf::BatchQueue& queue;
  const std::string folder = NewFolder();
  const std::unique_ptr<symbolizer::TableStore> tables =
      *symbolizer::TableStore::Open(folder, 1 << 20);
  symbolizer::Wants wants;
  metrics::Registry registry;
  symbolizer::Metrics metrics{registry};
  std::vector<std::shared_ptr<const profile::v1::Profile>> profiles;
  // Messages that it wants to read.
  int reads = 0;
  symbolizer::Symbolizer core;
};

Pipeline::Pipeline(const std::string& receiver)
    : component_(ComponentTo(receiver), kernel_, metrics_, [this] { return targets_; }, clock_) {
  collector_.Add(component_);
  AddProcess(1, "shop");
  AddProcess(2, "bank");
  AddProcess(3, "");
  OpenForwarder();
  ReplaceSymbolizer();
}

Pipeline::~Pipeline() = default;

void Pipeline::AddProcess(std::uint32_t pid, const std::string& service) {
  processes_.processes[pid] = {
      .start_ticks = kStartTicks,
      .mappings = {{0x1000, 0x9000, 0, 5, fmt::format("/bin/program{}", pid)}}};
  if (service.empty()) return;
  targets_.push_back(std::make_shared<const model::Target>(model::Target{
      .id = service,
      .labels = {{"__process_pid__", std::to_string(pid)}, {"service_name", service}}}));
}

void Pipeline::Sample(std::uint32_t pid, int times) {
  std::vector<__u64> stack = {0x1010, 0x2020};
  for (int i = 0; i < times; ++i) {
    stack[0] = 0x1010 + static_cast<__u64>(i % 2);
    collector_.SinkOf(kRate).OnSample(
        {.pid = pid, .start_ticks = kStartTicks, .kernel = {}, .user = stack});
  }
}

void Pipeline::RunBusy(int seconds) {
  for (int i = 0; i < seconds; ++i) {
    Sample(1, 3);
    Sample(2, 2);
    Sample(3, 1);
    Second();
  }
}

void Pipeline::RunIdle(int seconds) {
  for (int i = 0; i < seconds; ++i) Second();
}

void Pipeline::Second() {
  clock_.Advance(absl::Seconds(1));
  collector_.Tick();
  SendBatches();
  symbolizer_->core.Tick();
  SendProfiles();
  Deliver();
  symbolizer_->core.Tick();
  ExpectNoError();
}

void Pipeline::SendBatches() {
  for (; symbolizer_->reads > 0; --symbolizer_->reads) {
    const auto batch = component_.queue().Next(absl::ZeroDuration());
    if (!batch) return;
    sample::v1::PushRequest request;
    *request.mutable_batch() = **batch;
    symbolizer_->core.OnMessage(1, request);
  }
}

void Pipeline::SendProfiles() {
  profile::v1::PushResponse response;
  for (const auto& profile : std::exchange(symbolizer_->profiles, {})) {
    forwarder_->Push(
        *profile, [&](profile::v1::Answer answer) { *response.add_answers() = std::move(answer); });
    // The answer comes now at the latest, so `response` outlives it.
    forwarder_->spool().Commit();
  }
  if (!lose_answers) symbolizer_->core.OnAnswers(response);
}

void Pipeline::Deliver() {
  for (int turn = 0; turn < 2; ++turn) {
    while (forwarder_->Poll() == absl::ZeroDuration()) {
    }
    far_end_.Answer();
  }
  while (forwarder_->Poll() == absl::ZeroDuration()) {
  }
  forwarder_->spool().Commit();
}

void Pipeline::ExpectNoError() {
  collector_.Audit();
  forwarder_->Audit();
  EXPECT_EQ(Sum(registry_.Text(), "stoker_ebpf_collector_conservation_error"), 0);
  EXPECT_EQ(Sum(symbolizer_->registry.Text(), "stoker_symbolizer_conservation_error"), 0);
  EXPECT_EQ(Forwarder("conservation_error"), 0);
  EXPECT_EQ(Forwarder("in"), Forwarder("out") + Forwarder("dropped") + Forwarder("in_flight"));
}

void Pipeline::OpenForwarder() {
  forwarder::Settings settings;
  settings.writers[kReceiver].endpoints.push_back({.url = "http://far"});
  forwarder_registry_ = std::make_unique<metrics::Registry>();
  auto opened = forwarder::Forwarder::Open(
      {.folder = "/data", .spool = {.reserve_bytes = 0}}, settings, *env_, clock_, random_,
      *forwarder_registry_,
      [this](const config::PyroscopeWrite::Endpoint&) { return far_end_.NewClient(); });
  forwarder_ = *std::move(opened);
}

void Pipeline::CrashForwarder() {
  auto found = env_->CrashClone(random_);
  far_end_.ForgetRequests();
  symbolizer_->core.OnForwarderLost();
  // It may write while it goes: to a disk that nobody will see again.
  forwarder_.reset();
  env_ = std::move(found);
  OpenForwarder();
  symbolizer_->core.OnForwarderConnected();
}

void Pipeline::ReplaceSymbolizer() {
  symbolizer_ = std::make_unique<SymbolizerProcess>(random_, clock_, component_.queue());
  component_.queue().Rewind();
  symbolizer_->core.OnForwarderConnected();
  symbolizer_->core.OnStream(1, symbolizer_.get());
  --symbolizer_->reads;
  symbolizer_->core.OnMessage(1, Hello(component_.settings().arguments.forward_to[0]));
}

metrics::Stage::Counts Pipeline::symbolizer() const { return symbolizer_->metrics.stage.Read(); }

std::uint64_t Pipeline::Forwarder(const std::string& name) const {
  return Sum(forwarder_registry_->Text(), "stoker_forwarder_" + name);
}

}  // namespace stoker::pipeline
