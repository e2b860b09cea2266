// Proves that samples become batches under the labels of their targets, that nothing is lost
// uncounted, and that late, missing and hostile files cost only their own frames.
#include "services/collector/ebpf/collector.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/collector/ebpf/fake_binary_inspector.h"
#include "services/collector/ebpf/fake_process_source.h"
#include "services/collector/ebpf/walker/fake_table_source.h"
#include "services/collector/ebpf/walker/heap_memory.h"
#include "services/common/testing/fake_clock.h"
#include "services/common/wire/raw_stack_decoder.h"

namespace stoker::ebpf {
namespace {

using sample::v1::RawStackBatch;

constexpr int kRate = 97;
constexpr std::uint32_t kPid = 7;
constexpr std::uint64_t kStart = 100;

class CollectorTest : public ::testing::Test {
 protected:
  CollectorTest() {
    source_.processes[kPid] = {.start_ticks = kStart,
                               .mappings = {{0x1000, 0x9000, 0, 5, "/bin/program"}}};
    targets_.push_back(std::make_shared<const model::Target>(model::Target{
        .id = "t", .labels = {{"__process_pid__", "7"}, {"service_name", "program"}}}));
    core_.Add(component_);
  }

  void Sample(std::vector<__u64> user, std::vector<__u64> kernel = {}, std::uint32_t pid = kPid,
              std::uint64_t start = kStart) {
    core_.SinkOf(kRate).OnSample(
        {.pid = pid, .start_ticks = start, .kernel = kernel, .user = user});
  }

  void ThreadSample(std::uint32_t tid, std::string_view comm, std::vector<__u64> user) {
    core_.SinkOf(kRate).OnSample(
        {.pid = kPid, .start_ticks = kStart, .tid = tid, .comm = comm, .user = user});
  }

  // The arguments from now on.
  void Set(config::PyroscopeEbpf arguments) {
    component_.Update({.id = "pyroscope.ebpf.host", .arguments = std::move(arguments)});
  }

  // Each sample as "label=value … root;…;leaf count"; of an address its number.
  static std::vector<std::string> Text(const wire::DecodedBatch& batch) {
    std::vector<std::string> lines;
    for (const auto& sample : batch.samples) {
      std::string line;
      for (const model::LabelView label : batch.label_sets[sample.labels]) {
        line += fmt::format("{}={} ", label.name, label.value);
      }
      const auto frames = batch.dictionary->StackFrames(sample.stack);
      for (std::size_t i = frames.size(); i-- > 0;) {
        const auto& frame = batch.dictionary->frames[frames[i]];
        line += frame.function == 0 ? fmt::format("{:#x}", frame.address)
                                    : batch.dictionary->strings[frame.function];
        line += i == 0 ? ' ' : ';';
      }
      lines.push_back(line + std::to_string(sample.count));
    }
    return lines;
  }

  void EndInterval() {
    clock_.Advance(absl::Seconds(15));
    core_.Tick();
  }

  // The next batch, as a reader of the stream understands it.
  std::optional<wire::DecodedBatch> Next() {
    const auto batch = component_.queue().Next(absl::ZeroDuration());
    if (!batch) return std::nullopt;
    auto decoded = wire::RawStackDecoder().Decode(**batch);
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    return *std::move(decoded);
  }

  void ExpectConserved() {
    core_.Audit();
    EXPECT_THAT(registry_.Text(),
                ::testing::HasSubstr("stoker_ebpf_collector_conservation_error 0"));
  }

  testing::FakeClock clock_;
  metrics::Registry registry_;
  Metrics metrics_{registry_};
  KernelSymbols kernel_;
  FakeProcessSource source_;
  FakeBinaryInspector inspector_;
  model::TargetVector targets_;
  walker::HeapMemory memory_;
  walker::FakeTableSource tables_;
  Collector core_{source_, inspector_, memory_, tables_, metrics_, clock_};
  Component component_{
      {.id = "pyroscope.ebpf.host"}, kernel_, metrics_, [this] { return targets_; }, clock_};
};

TEST_F(CollectorTest, CountsEqualStacksUnderTheirTarget) {
  for (int i = 0; i < 3; ++i) Sample({0x1010, 0x2020});
  Sample({0x1010});
  EndInterval();
  const auto batch = Next();
  ASSERT_TRUE(batch);
  EXPECT_TRUE(batch->last_of_interval);
  EXPECT_EQ(batch->interval_end_ns - batch->interval_start_ns, 15'000'000'000);
  EXPECT_EQ(batch->sample_count, 4u);
  ASSERT_EQ(batch->series.size(), 1u);
  EXPECT_EQ(batch->series[0].labels.Get("service_name"), "program");
  EXPECT_EQ(batch->series[0].target_id, "t");
  ASSERT_EQ(batch->samples.size(), 2u);
  for (const auto& sample : batch->samples) {
    const auto frames = batch->dictionary->StackFrames(sample.stack);
    EXPECT_EQ(sample.count, frames.size() == 2 ? 3u : 1u);
    // The file is loaded at 0 and mapped at 0x1000.
    EXPECT_EQ(batch->dictionary->frames[frames[0]].address, 0x10u);
    EXPECT_FALSE(batch->dictionary->frames[frames[0]].is_return_address);
    if (frames.size() == 2) {
      EXPECT_TRUE(batch->dictionary->frames[frames[1]].is_return_address);
    }
    const auto& mapping = batch->dictionary->mappings[batch->dictionary->frames[frames[0]].mapping];
    EXPECT_EQ(mapping.path, "/bin/program");
    EXPECT_EQ(mapping.binary.build_id(), "/bin/program");
  }
  EXPECT_EQ(inspector_.requests, 1);
  ExpectConserved();
}

// What comm and pid_label make of two threads of one name and one of another.
TEST_F(CollectorTest, ThreadNamesAndPids) {
  using Comm = config::PyroscopeEbpf::Comm;
  const auto sampled = [&](Comm comm, bool pid_label) {
    Set({.comm = comm, .pid_label = pid_label});
    ThreadSample(7, "main", {0x1010});
    ThreadSample(8, "main", {0x1010});
    ThreadSample(9, "io", {0x1010});
    ThreadSample(10, "", {0x1010});
    EndInterval();
    const auto batch = Next();
    EXPECT_TRUE(batch);
    return Text(*batch);
  };
  using ::testing::UnorderedElementsAre;
  EXPECT_THAT(sampled(Comm::kNone, false), UnorderedElementsAre("0x10 4"));
  EXPECT_THAT(sampled(Comm::kNone, true), UnorderedElementsAre("pid=7 0x10 4"));
  EXPECT_THAT(sampled(Comm::kLabel, false),
              UnorderedElementsAre("comm=main 0x10 2", "comm=io 0x10 1", "0x10 1"));
  EXPECT_THAT(sampled(Comm::kStackframe, false),
              UnorderedElementsAre("main;0x10 2", "io;0x10 1", "0x10 1"));
  EXPECT_THAT(sampled(Comm::kBoth, true),
              UnorderedElementsAre("comm=main pid=7 main;0x10 2", "comm=io pid=7 io;0x10 1",
                                   "pid=7 0x10 1"));
  ExpectConserved();
}

// What collect_user_profile, collect_kernel_profile and kernel_frames leave of a stack; samples of
// which they leave nothing are counted.
TEST_F(CollectorTest, PartsOfStacks) {
  const auto sampled = [&](const config::PyroscopeEbpf& arguments) {
    Set(arguments);
    Sample({0x1010}, {0xffffffff81000010});
    Sample({0x1020});
    EndInterval();
    const auto batch = Next();
    EXPECT_TRUE(batch);
    std::vector<std::string> lines = Text(*batch);
    for (const auto& dropped : batch->dropped) {
      lines.push_back(fmt::format("{} {}", dropped.reason, dropped.samples));
    }
    return lines;
  };
  using ::testing::ElementsAre;
  using ::testing::UnorderedElementsAre;
  EXPECT_THAT(sampled({}), UnorderedElementsAre("0x10;0x0 1", "0x20 1"));
  EXPECT_THAT(sampled({.kernel_frames = false}), UnorderedElementsAre("0x10 1", "0x20 1"));
  EXPECT_THAT(sampled({.collect_kernel_profile = false}), UnorderedElementsAre("0x10 1", "0x20 1"));
  EXPECT_THAT(sampled({.collect_user_profile = false}), ElementsAre("0x0 1", "not_collected 1"));
  EXPECT_EQ(metrics_.stage.Read().dropped.at("not_collected"), 1u);
  ExpectConserved();
}

// A shorter interval counts from the start of the one that runs.
TEST_F(CollectorTest, AChangedIntervalHoldsAtOnce) {
  Sample({0x1010});
  core_.Flush(component_);
  EXPECT_EQ(Next()->sample_count, 1u);
  Set({.collect_interval = absl::Seconds(2)});
  Sample({0x1010});
  clock_.Advance(absl::Seconds(2));
  core_.Tick();
  const auto batch = Next();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->interval_end_ns - batch->interval_start_ns, 2'000'000'000);
  ExpectConserved();
}

// The metrics of the component are those of its documentation, and right.
TEST_F(CollectorTest, Metrics) {
  Sample({0x1010});
  EndInterval();
  const auto batch = Next();
  ASSERT_TRUE(batch);
  clock_.Advance(absl::Milliseconds(40));
  sample::v1::PushResponse response;
  response.add_acknowledged(batch->sequence);
  sample::v1::Delivered& delivered = *response.add_delivered();
  delivered.set_service_name("program");
  delivered.set_profiles(1);
  delivered.set_bytes(300);
  delivered.set_samples(1);
  component_.queue().Apply(response);
  const std::string text = registry_.Text();
  const std::string of = R"({component_id="pyroscope.ebpf.host"} )";
  const std::string of_service = R"({component_id="pyroscope.ebpf.host",service_name="program"} )";
  for (const std::string& line : {"pyroscope_ebpf_active_targets" + of + "1",
                                  "pyroscope_ebpf_profiling_sessions_total" + of + "1",
                                  "pyroscope_ebpf_profiling_sessions_failing_total" + of + "0",
                                  "pyroscope_ebpf_pprofs_dropped_total" + of + "0",
                                  "pyroscope_ebpf_pprofs_total" + of_service + "1",
                                  "pyroscope_ebpf_pprof_bytes_total" + of_service + "300",
                                  "pyroscope_ebpf_pprof_samples_total" + of_service + "1",
                                  "pyroscope_fanout_latency_count" + of + "1",
                                  "pyroscope_fanout_latency_sum" + of + "0.04"}) {
    EXPECT_THAT(text, ::testing::HasSubstr(line + "\n"));
  }
  component_.queue().DropAll("stopped");
}

// One that waits for its first target has no session yet.
TEST_F(CollectorTest, LazyWithoutTargetsProfilesNothing) {
  targets_.clear();
  Set({.lazy_mode = true});
  EndInterval();
  EXPECT_THAT(registry_.Text(),
              ::testing::HasSubstr("pyroscope_ebpf_profiling_sessions_total{component_id="
                                   "\"pyroscope.ebpf.host\"} 0\n"));
}

// A batch without labels carries no column of them.
TEST_F(CollectorTest, NoLabelsCostNothing) {
  ThreadSample(7, "main", {0x1010});
  EndInterval();
  const auto batch = component_.queue().Next(absl::ZeroDuration());
  ASSERT_TRUE(batch);
  EXPECT_EQ((*batch)->sample_labels_size(), 0);
  EXPECT_EQ((*batch)->label_sets_size(), 0);
}

TEST_F(CollectorTest, WaitsHaveValuesAndStates) {
  ComponentSettings settings = component_.settings();
  settings.arguments.off_cpu_threshold = 0.5;
  settings.off_cpu = true;
  Component waits(settings, kernel_, metrics_, [this] { return targets_; }, clock_);
  core_.Add(waits);
  const std::vector<__u64> stack = {0x1010, 0x2020};
  const auto wait = [&](stoker_wait kind, std::uint64_t value) {
    core_.SinkOf(settings.sampler())
        .OnSample(
            {.pid = kPid, .start_ticks = kStart, .wait = kind, .value = value, .user = stack});
  };
  wait(STOKER_WAIT_SLEEP, 5);
  wait(STOKER_WAIT_SLEEP, 7);
  wait(STOKER_WAIT_PREEMPTED, 20);
  EndInterval();
  EXPECT_EQ(component_.samples_taken(), 0u);
  const auto batch = wire::RawStackDecoder().Decode(**waits.queue().Next(absl::ZeroDuration()));
  ASSERT_TRUE(batch.ok()) << batch.status();
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> by_state;
  for (const auto& sample : batch->samples) {
    const model::Labels& labels = batch->label_sets[sample.labels];
    by_state[std::string(labels.Get("state"))] = {sample.count, sample.value.value_or(0)};
  }
  EXPECT_THAT(by_state, ::testing::UnorderedElementsAre(
                            ::testing::Pair("sleep", ::testing::Pair(2u, 12u)),
                            ::testing::Pair("preempted", ::testing::Pair(1u, 20u))));
  core_.Audit();
  EXPECT_THAT(registry_.Text(), ::testing::HasSubstr("stoker_ebpf_collector_conservation_error 0"));
  core_.Remove(waits);
}

TEST_F(CollectorTest, ProcessesWithoutTargetAreToldToTheSamplerOfWaits) {
  ComponentSettings settings = component_.settings();
  settings.arguments.off_cpu_threshold = 1;
  settings.off_cpu = true;
  Component waits(settings, kernel_, metrics_, [this] { return targets_; }, clock_);
  core_.Add(waits);
  std::vector<procfs::ProcessKey> unwanted;
  core_.SetUnwanted([&](const SamplerKind& sampler, const procfs::ProcessKey& process) {
    EXPECT_EQ(sampler, SamplerKind::OffCpu(1));
    unwanted.push_back(process);
  });
  source_.processes[8] = {.start_ticks = kStart};
  const std::vector<__u64> stack = {0x1010};
  for (const std::uint32_t pid : {kPid, 8u, 8u}) {
    core_.SinkOf(settings.sampler())
        .OnSample({.pid = pid,
                   .start_ticks = kStart,
                   .wait = STOKER_WAIT_SLEEP,
                   .value = 1,
                   .user = stack});
  }
  EndInterval();
  EXPECT_THAT(unwanted, ::testing::ElementsAre(procfs::ProcessKey{8, kStart}));
  // Another component of that sampler may want it.
  Component other(settings, kernel_, metrics_, [] { return model::TargetVector(); }, clock_);
  core_.Add(other);
  unwanted.clear();
  core_.SinkOf(settings.sampler())
      .OnSample(
          {.pid = 8, .start_ticks = kStart, .wait = STOKER_WAIT_SLEEP, .value = 1, .user = stack});
  EndInterval();
  EXPECT_TRUE(unwanted.empty());
  core_.Remove(waits);
  core_.Remove(other);
}

TEST_F(CollectorTest, AcknowledgedSamplesAreOut) {
  Sample({0x1010});
  EndInterval();
  const auto batch = Next();
  ASSERT_TRUE(batch);
  sample::v1::PushResponse response;
  response.add_acknowledged(batch->sequence);
  component_.queue().Apply(response);
  EXPECT_EQ(metrics_.stage.Read().out, 1u);
  EXPECT_EQ(component_.queue().size(), 0u);
  ExpectConserved();
}

TEST_F(CollectorTest, ANewStreamGetsWhatIsNotAcknowledged) {
  Sample({0x1010});
  EndInterval();
  const auto first = Next();
  ASSERT_TRUE(first);
  EXPECT_FALSE(Next());
  component_.queue().Rewind();
  const auto again = Next();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->sequence, first->sequence);
}

TEST_F(CollectorTest, ProcessesWithoutTargetAreCountedAsDropped) {
  source_.processes[8] = {.start_ticks = kStart};
  Sample({0x1010}, {}, 8);
  EndInterval();
  const auto batch = Next();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->sample_count, 0u);
  ASSERT_EQ(batch->dropped.size(), 1u);
  EXPECT_EQ(batch->dropped[0].reason, "no_target");
  ExpectConserved();
}

TEST_F(CollectorTest, RingLossIsToldToTheComponent) {
  core_.OnStats(kRate, {10, 3});
  core_.OnStats(kRate, {20, 5});
  EXPECT_EQ(component_.samples_taken(), 5u);
  EXPECT_EQ(metrics_.stage.Read().dropped.at("ring_full"), 5u);
  core_.OnSamplerStart(kRate);
  core_.OnStats(kRate, {1, 1});
  EXPECT_EQ(component_.samples_taken(), 6u);
  ExpectConserved();
}

TEST_F(CollectorTest, AProcessThatIsGoneKeepsItsSamples) {
  source_.processes.clear();
  Sample({0x1010});
  EndInterval();
  const auto batch = Next();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->sample_count, 1u);
  EXPECT_EQ(batch->dictionary->mappings[1].path, "[unknown]");
  EXPECT_FALSE(batch->dictionary->mappings[1].has_binary);
}

TEST_F(CollectorTest, AReusedPidIsAnotherProcess) {
  Sample({0x1010});
  source_.processes[kPid] = {.start_ticks = 200,
                             .mappings = {{0x1000, 0x9000, 0, 6, "/bin/other"}}};
  Sample({0x1010}, {}, kPid, 200);
  EndInterval();
  const auto batch = Next();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->dictionary->mappings.size(), 3u);
}

TEST_F(CollectorTest, ExecMakesKnownMappingsVoid) {
  Sample({0x1010});
  source_.processes[kPid].mappings = {{0x1000, 0x9000, 0, 6, "/bin/other"}};
  core_.SinkOf(kRate).OnExec(kPid);
  Sample({0x1010});
  EndInterval();
  const auto batch = Next();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->samples.size(), 2u);
  EXPECT_EQ(batch->dictionary->mappings.size(), 3u);
}

TEST_F(CollectorTest, UnknownAddressesAreLookedUpAtGrowingDistances) {
  for (int i = 0; i < 100; ++i) {
    Sample({0xffff0000});
    clock_.Advance(absl::Milliseconds(10));
  }
  EXPECT_LE(source_.reads, 6);
  EXPECT_GE(source_.reads, 3);
}

TEST_F(CollectorTest, AnUnreadableFileCostsItsFramesOnly) {
  inspector_.unreadable = {"/bin/program"};
  Sample({0x1010});
  EndInterval();
  const auto batch = Next();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->sample_count, 1u);
  EXPECT_EQ(batch->dictionary->mappings[1].unreadable_reason, "not an ELF file");
}

TEST_F(CollectorTest, AFileThatIsNeverReadDelaysTheIntervalByASecond) {
  inspector_.silent = true;
  Sample({0x1010});
  EndInterval();
  EXPECT_FALSE(Next());
  clock_.Advance(absl::Seconds(1));
  core_.Tick();
  const auto batch = Next();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->dictionary->mappings[1].unreadable_reason, "the file was not read in time");
}

TEST_F(CollectorTest, AKernelWithoutSymbolsGivesNoAddressAway) {
  Sample({}, {0xffffffff81000010});
  EndInterval();
  const auto batch = Next();
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->dictionary->frames.size(), 2u);
  EXPECT_EQ(batch->dictionary->frames[1].address, 0u);
}

}  // namespace
}  // namespace stoker::ebpf
