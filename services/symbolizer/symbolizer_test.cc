#include "services/symbolizer/symbolizer.h"

#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "services/common/pprof/reader.h"
#include "services/common/testing/fake_clock.h"
#include "services/symbolizer/table/table_writer.h"

namespace stoker::symbolizer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct CountingRandom final : Random {
  std::uint64_t Next() override { return ++last; }
  std::uint64_t last = 0;
};

struct FakeStream final : Symbolizer::Stream {
  void Respond(const sample::v1::PushResponse& response) override {
    for (const auto sequence : response.acknowledged()) acknowledged.push_back(sequence);
    for (const auto& one : response.rejected()) rejected.push_back(one.sequence());
    for (const auto& one : response.delivered()) delivered.push_back(one);
  }
  void ReadMore() override { ++reads; }
  void Close(const absl::Status& status) override { closed = status; }

  std::vector<std::uint64_t> acknowledged;
  std::vector<std::uint64_t> rejected;
  std::vector<sample::v1::Delivered> delivered;
  int reads = 0;
  absl::Status closed;
};

struct FakeSink final : ProfileSink {
  void Send(std::shared_ptr<const profile::v1::Profile> profile) override {
    sent.push_back(std::move(profile));
  }
  std::vector<std::shared_ptr<const profile::v1::Profile>> sent;
};

struct FakeSubscriber final : Wants::Subscriber {
  void Ask(const symbol::v1::WantResponse& response) override {
    for (const auto& one : response.wanted()) wanted.push_back(one);
  }
  std::vector<symbol::v1::Wanted> wanted;
};

sample::v1::PushRequest Hello(std::uint64_t run = 1) {
  sample::v1::PushRequest request;
  sample::v1::Hello& hello = *request.mutable_hello();
  hello.set_node_id("node");
  hello.set_component_id("pyroscope.ebpf.host");
  hello.add_receivers("pyroscope.write.far");
  hello.set_run_id(run);
  hello.set_demangle(sample::v1::Hello::DEMANGLE_SIMPLIFIED);
  hello.mutable_sample_type()->set_type("cpu");
  hello.mutable_sample_type()->set_unit("nanoseconds");
  hello.mutable_period_type()->set_type("cpu");
  hello.mutable_period_type()->set_unit("nanoseconds");
  hello.set_period(10);
  return request;
}

// The binary of the frames of FirstBatch.
symbol::v1::BinaryKey Key() {
  symbol::v1::BinaryKey key;
  key.set_build_id("\xab\xcd");
  key.set_size_bytes(100);
  return key;
}

// One stack, seen `count` times: a return address in a binary under a leaf that the node named.
sample::v1::PushRequest FirstBatch(std::uint64_t sequence, std::uint64_t count,
                                   std::int64_t start_ns = 1000) {
  sample::v1::PushRequest request;
  sample::v1::RawStackBatch& batch = *request.mutable_batch();
  batch.set_sequence(sequence);
  batch.set_reset(true);
  batch.set_interval_start_ns(start_ns);
  batch.set_interval_end_ns(start_ns + 500);
  batch.set_last_of_interval(true);
  for (const char* text : {"/bin/program", "jit_leaf", "service_name", "shop", "target-1"}) {
    batch.add_strings(text);
  }
  sample::v1::Mapping& mapping = *batch.add_mappings();
  mapping.set_kind(sample::v1::Mapping::KIND_FILE);
  mapping.set_path(1);
  *mapping.mutable_binary() = Key();
  batch.add_frames()->set_function(2);
  sample::v1::Frame& frame = *batch.add_frames();
  frame.set_mapping(1);
  frame.set_address(0x1010);
  frame.set_is_return_address(true);
  sample::v1::Stack& stack = *batch.add_stacks();
  stack.add_frames(1);
  stack.add_frames(2);
  stack.set_stop_reason(sample::v1::Stack::STOP_REASON_NO_MAPPING);
  sample::v1::Series& series = *batch.add_series();
  series.add_labels(3);
  series.add_labels(4);
  series.set_target_id(5);
  batch.add_sample_series(0);
  batch.add_sample_stack(1);
  batch.add_sample_count(count);
  return request;
}

// The frames of the profile's only sample, the leaf first: "name @mapping/has_functions", or the
// address where there is no name.
std::vector<std::string> Frames(const profile::v1::Profile& profile) {
  const auto parsed = pprof::Read(profile.pprof());
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->samples, SizeIs(1));
  std::vector<std::string> frames;
  for (const std::uint32_t index : parsed->StackOf(parsed->samples[0])) {
    const auto& location = parsed->locations[index];
    const auto lines = parsed->LinesOf(location);
    std::string frame =
        lines.empty() ? fmt::format("{:#x}", location.address)
                      : std::string(parsed->strings[parsed->functions[lines[0].function].name]);
    if (location.mapping != pprof::Profile::kMissing) {
      const auto& mapping = parsed->mappings[location.mapping];
      frame += fmt::format(" @{}:{}/{}", parsed->strings[mapping.filename],
                           parsed->strings[mapping.build_id], mapping.has_functions);
    }
    frames.push_back(std::move(frame));
  }
  return frames;
}

class SymbolizerTest : public ::testing::Test {
 protected:
  SymbolizerTest() {
    core_.OnForwarderConnected();
    wants_.Subscribe(1, "node", &subscriber_);
  }
  ~SymbolizerTest() override { std::filesystem::remove_all(folder_); }

  static std::unique_ptr<TableStore> OpenStore(const std::string& folder) {
    std::filesystem::remove_all(folder);
    return *TableStore::Open(folder, 1 << 20);
  }

  void Open(std::uint64_t number, FakeStream& stream, std::uint64_t run = 1) {
    core_.OnStream(number, &stream);
    core_.OnMessage(number, Hello(run));
  }

  // What a collector's Put ends in: the function that has 0x100f.
  void PutTable() {
    ASSERT_THAT(subscriber_.wanted, ::testing::Not(IsEmpty()));
    const std::string id = TableId(Key());
    ASSERT_TRUE(wants_.BeginPut(id, subscriber_.wanted.back().lease_id()).ok());
    ASSERT_TRUE(
        store_->WriteFile(id, *WriteTable({{0x1000, 0x1010, "_ZN4shop4sellEi"}}, kTableIsFull))
            .ok());
    core_.OnTable(id, Wants::Outcome::kTable, "");
  }

  void AnswerAll() {
    profile::v1::PushResponse response;
    for (const auto& profile : sink_.sent) {
      profile::v1::Answer& answer = *response.add_answers();
      answer.set_id(profile->id());
      answer.mutable_accepted();
    }
    sink_.sent.clear();
    core_.OnAnswers(response);
  }

  void ExpectConserved() {
    core_.Tick();
    EXPECT_THAT(registry_.Text(), HasSubstr("stoker_symbolizer_conservation_error 0"));
  }

  const std::string folder_ = ::testing::TempDir() + "/symbolizer_" + std::to_string(getpid());
  const std::unique_ptr<TableStore> store_ = OpenStore(folder_);
  testing::FakeClock clock_;
  CountingRandom random_;
  Wants wants_{{}, random_, [](const std::string&) { return 0; }};
  FakeSink sink_;
  metrics::Registry registry_;
  Metrics metrics_{registry_};
  Symbolizer core_{{}, clock_, *store_, wants_, sink_, metrics_};
  FakeSubscriber subscriber_;
  FakeStream stream_;
};

// A batch becomes a profile with names, and is acknowledged once the forwarder has it.
TEST_F(SymbolizerTest, NamesAndDelivers) {
  Open(1, stream_);
  core_.OnMessage(1, FirstBatch(1, 3));
  ASSERT_THAT(subscriber_.wanted, SizeIs(1));
  EXPECT_EQ(subscriber_.wanted[0].path(), "/bin/program");
  EXPECT_THAT(sink_.sent, IsEmpty()) << "it waits for the binary that was asked for";
  PutTable();
  ASSERT_THAT(sink_.sent, SizeIs(1));
  const profile::v1::Profile profile = *sink_.sent[0];
  EXPECT_THAT(Frames(profile), ElementsAre("jit_leaf", "shop::sell @/bin/program:abcd/true",
                                           "[unwind: no_mapping]"));
  EXPECT_EQ(profile.id().size(), 16);
  EXPECT_EQ(profile.samples(), 3);
  EXPECT_EQ(profile.start_ns(), 1000);
  EXPECT_EQ(profile.duration_ns(), 500);
  EXPECT_THAT(profile.receivers(), ElementsAre("pyroscope.write.far"));
  ASSERT_THAT(profile.labels(), SizeIs(2));
  EXPECT_EQ(profile.labels(0).name(), "__name__");
  EXPECT_EQ(profile.labels(0).value(), "process_cpu");
  EXPECT_EQ(profile.labels(1).value(), "shop");
  EXPECT_EQ(pprof::Read(profile.pprof())->values[0], 30);

  EXPECT_THAT(stream_.acknowledged, IsEmpty());
  ExpectConserved();
  AnswerAll();
  EXPECT_THAT(stream_.acknowledged, ElementsAre(1));
  ASSERT_THAT(stream_.delivered, SizeIs(1));
  EXPECT_EQ(stream_.delivered[0].target_id(), "target-1");
  EXPECT_EQ(stream_.delivered[0].service_name(), "shop");
  EXPECT_EQ(stream_.delivered[0].samples(), 3);
  EXPECT_EQ(stream_.delivered[0].bytes(), profile.pprof().size());
  EXPECT_EQ(metrics_.stage.Read().out, 3);
  ExpectConserved();
}

// Values and labels of samples are those of the profile; equal stacks with other labels stay apart.
TEST_F(SymbolizerTest, ValuesAndLabels) {
  core_.OnStream(1, &stream_);
  sample::v1::PushRequest hello = Hello();
  hello.mutable_hello()->mutable_sample_type()->set_type("offcpu");
  hello.mutable_hello()->clear_period_type();
  hello.mutable_hello()->set_period(1);
  core_.OnMessage(1, hello);
  sample::v1::PushRequest request = FirstBatch(1, 3);
  sample::v1::RawStackBatch& batch = *request.mutable_batch();
  batch.clear_mappings();
  batch.clear_frames();
  batch.add_frames()->set_function(2);
  batch.mutable_stacks(0)->mutable_frames()->RemoveLast();
  batch.add_strings("state");
  batch.add_strings("sleep");
  batch.add_label_sets()->add_labels(6);
  batch.mutable_label_sets(0)->add_labels(7);
  batch.add_sample_series(0);
  batch.add_sample_stack(1);
  batch.add_sample_count(1);
  for (const std::uint64_t value : {500, 70}) batch.add_sample_value(value);
  for (const std::uint32_t labels : {0, 1}) batch.add_sample_labels(labels);
  core_.OnMessage(1, request);
  ASSERT_THAT(sink_.sent, SizeIs(1));
  const profile::v1::Profile& profile = *sink_.sent[0];
  EXPECT_EQ(profile.samples(), 4);
  EXPECT_EQ(profile.labels(0).value(), "offcpu");
  const auto pprof = *pprof::Read(profile.pprof());
  EXPECT_THAT(pprof.values, ElementsAre(500, 70));
  EXPECT_THAT(pprof.LabelsOf(pprof.samples[0]), IsEmpty());
  ASSERT_THAT(pprof.LabelsOf(pprof.samples[1]), SizeIs(1));
  EXPECT_EQ(pprof.strings[pprof.LabelsOf(pprof.samples[1])[0].str], "sleep");
}

// A thread's name stays the root where the stack is cut.
TEST_F(SymbolizerTest, ThreadNameIsTheRoot) {
  Open(1, stream_);
  sample::v1::PushRequest request = FirstBatch(1, 1);
  sample::v1::RawStackBatch& batch = *request.mutable_batch();
  batch.add_strings("worker/1");
  batch.clear_mappings();
  batch.clear_frames();
  batch.add_frames()->set_function(2);
  batch.add_frames()->set_function(6);
  batch.mutable_stacks(0)->set_ends_with_thread(true);
  core_.OnMessage(1, request);
  ASSERT_THAT(sink_.sent, SizeIs(1));
  EXPECT_THAT(Frames(*sink_.sent[0]), ElementsAre("jit_leaf", "[unwind: no_mapping]", "worker/1"));
}

// A binary that does not come costs symbol_wait once; its frames keep their addresses, for others
// to name.
TEST_F(SymbolizerTest, SymbolWait) {
  Open(1, stream_);
  core_.OnMessage(1, FirstBatch(1, 1));
  clock_.Advance(absl::Seconds(29));
  core_.Tick();
  EXPECT_THAT(sink_.sent, IsEmpty());
  clock_.Advance(absl::Seconds(1));
  core_.Tick();
  ASSERT_THAT(sink_.sent, SizeIs(1));
  EXPECT_THAT(Frames(*sink_.sent[0]),
              ElementsAre("jit_leaf", "0x100f @/bin/program:abcd/false", "[unwind: no_mapping]"));
  core_.OnMessage(1, FirstBatch(2, 1, 2000));
  EXPECT_THAT(sink_.sent, SizeIs(2)) << "the next interval does not wait again";
}

// While nobody listens who has the binary, profiles wait for 5 s only.
TEST_F(SymbolizerTest, NobodyToAsk) {
  wants_.Unsubscribe(1);
  Open(1, stream_);
  core_.OnMessage(1, FirstBatch(1, 1));
  clock_.Advance(absl::Seconds(5));
  core_.Tick();
  EXPECT_THAT(sink_.sent, SizeIs(1));
}

// A lost forwarder gets the same profiles again, under the same ids, and nothing is acknowledged
// before.
TEST_F(SymbolizerTest, ForwarderLost) {
  Open(1, stream_);
  core_.OnMessage(1, FirstBatch(1, 1));
  PutTable();
  ASSERT_THAT(sink_.sent, SizeIs(1));
  const std::string id = sink_.sent[0]->id();
  sink_.sent.clear();
  core_.OnForwarderLost();
  clock_.Advance(absl::Seconds(10));
  core_.Tick();
  EXPECT_THAT(sink_.sent, IsEmpty());
  core_.OnForwarderConnected();
  ASSERT_THAT(sink_.sent, SizeIs(1));
  EXPECT_EQ(sink_.sent[0]->id(), id);
  AnswerAll();
  EXPECT_THAT(stream_.acknowledged, ElementsAre(1));
}

// A profile that the forwarder puts off is sent again when it says.
TEST_F(SymbolizerTest, RetryAfter) {
  Open(1, stream_);
  core_.OnMessage(1, FirstBatch(1, 1));
  PutTable();
  profile::v1::PushResponse response;
  response.add_answers()->set_id(sink_.sent[0]->id());
  response.mutable_answers(0)->set_retry_after_ms(2000);
  core_.OnAnswers(response);
  core_.Tick();
  EXPECT_THAT(sink_.sent, SizeIs(1));
  clock_.Advance(absl::Seconds(2));
  core_.Tick();
  EXPECT_THAT(sink_.sent, SizeIs(2));
}

// A profile that the forwarder refuses is counted under its reason, and its batch is done.
TEST_F(SymbolizerTest, Refused) {
  Open(1, stream_);
  core_.OnMessage(1, FirstBatch(1, 4));
  PutTable();
  profile::v1::PushResponse response;
  response.add_answers()->set_id(sink_.sent[0]->id());
  response.mutable_answers(0)->mutable_rejected()->set_reason("invalid_argument");
  core_.OnAnswers(response);
  EXPECT_THAT(stream_.acknowledged, ElementsAre(1));
  EXPECT_THAT(stream_.delivered, IsEmpty());
  EXPECT_EQ(metrics_.stage.Read().dropped.at("invalid_argument"), 4);
  ExpectConserved();
}

// A batch that comes again on another stream is counted once, and acknowledged on that stream.
TEST_F(SymbolizerTest, SentAgain) {
  Open(1, stream_);
  core_.OnMessage(1, FirstBatch(1, 3));
  core_.OnStreamEnd(1);
  FakeStream second;
  Open(2, second);
  core_.OnMessage(2, FirstBatch(1, 3));
  EXPECT_EQ(metrics_.stage.Read().in, 3);
  PutTable();
  AnswerAll();
  EXPECT_THAT(second.acknowledged, ElementsAre(1));
  core_.OnMessage(2, FirstBatch(1, 3));
  EXPECT_THAT(second.acknowledged, ElementsAre(1, 1));
  EXPECT_EQ(metrics_.stage.Read().in, 3);
  ExpectConserved();
}

// What a killed collector took and had not sent is counted by the symbolizer, once: after 30 s, or
// when its next run begins.
TEST_F(SymbolizerTest, CollectorLost) {
  const auto progress = [](std::uint64_t samples) {
    sample::v1::PushRequest request;
    request.mutable_progress()->set_samples_taken(samples);
    return request;
  };
  Open(1, stream_);
  core_.OnMessage(1, FirstBatch(1, 3));
  core_.OnMessage(1, progress(10));
  core_.OnStreamEnd(1);
  clock_.Advance(absl::Seconds(29));
  core_.Tick();
  EXPECT_THAT(metrics_.stage.Read().dropped, IsEmpty());
  clock_.Advance(absl::Seconds(1));
  core_.Tick();
  EXPECT_EQ(metrics_.stage.Read().dropped.at("collector_lost"), 7);

  FakeStream second;
  Open(2, second, 2);
  core_.OnMessage(2, progress(5));
  FakeStream third;
  Open(3, third, 3);
  EXPECT_EQ(metrics_.stage.Read().dropped.at("collector_lost"), 12);
  ExpectConserved();
}

// A batch that cannot be read is rejected by its number, and the stream ends.
TEST_F(SymbolizerTest, InvalidBatch) {
  Open(1, stream_);
  sample::v1::PushRequest bad = FirstBatch(9, 1);
  bad.mutable_batch()->set_sample_stack(0, 77);
  core_.OnMessage(1, bad);
  EXPECT_THAT(stream_.rejected, ElementsAre(9));
  EXPECT_EQ(stream_.closed.code(), absl::StatusCode::kInvalidArgument);
  FakeStream second;
  core_.OnStream(2, &second);
  core_.OnMessage(2, FirstBatch(1, 1));
  EXPECT_EQ(second.closed.code(), absl::StatusCode::kInvalidArgument) << "no hello";
}

// While the forwarder does not answer, a stream is read up to a bound, and on when it answers.
TEST_F(SymbolizerTest, BackPressure) {
  Open(1, stream_);
  std::uint64_t sequence = 0;
  int reads = stream_.reads;
  while (true) {
    ++sequence;
    core_.OnMessage(1, FirstBatch(sequence, 1, static_cast<std::int64_t>(sequence) * 1000));
    if (stream_.reads == reads) break;
    reads = stream_.reads;
    ASSERT_LT(sequence, 1000);
  }
  PutTable();
  EXPECT_EQ(stream_.reads, reads);
  AnswerAll();
  EXPECT_EQ(stream_.reads, reads + 1);
  EXPECT_THAT(stream_.acknowledged, SizeIs(sequence));
  EXPECT_EQ(metrics_.stage.Read().out, sequence);
  ExpectConserved();
}

// A collector may claim libc's build id for other bytes: the names are those of its own key.
TEST_F(SymbolizerTest, ClaimedBuildId) {
  Open(1, stream_);
  core_.OnMessage(1, FirstBatch(1, 1));
  PutTable();
  sample::v1::PushRequest other = FirstBatch(2, 1, 2000);
  other.mutable_batch()->mutable_mappings(0)->mutable_binary()->set_content_hash(99);
  core_.OnMessage(1, other);
  ASSERT_THAT(subscriber_.wanted, SizeIs(2));
  clock_.Advance(absl::Seconds(30));
  core_.Tick();
  ASSERT_THAT(sink_.sent, SizeIs(2));
  EXPECT_THAT(Frames(*sink_.sent[1])[1], HasSubstr("0x100f"));
}

// At the end everything that waits goes out with the names there are.
TEST_F(SymbolizerTest, Finish) {
  Open(1, stream_);
  sample::v1::PushRequest open = FirstBatch(1, 1);
  open.mutable_batch()->set_last_of_interval(false);
  core_.OnMessage(1, open);
  core_.Finish();
  ASSERT_THAT(sink_.sent, SizeIs(1));
  EXPECT_FALSE(core_.idle());
  AnswerAll();
  EXPECT_TRUE(core_.idle());
}

// Names asked for by another replica, from the tables at hand.
TEST_F(SymbolizerTest, Resolve) {
  Open(1, stream_);
  core_.OnMessage(1, FirstBatch(1, 1));
  PutTable();
  symbol::v1::ResolveRequest request;
  *request.mutable_key() = Key();
  request.add_address(0x1000);
  request.add_address(0x1010);
  symbol::v1::ResolveResponse response;
  core_.Resolve(request, [&](const auto& answer) { response = *answer; });
  EXPECT_EQ(response.resolutions(0).lines(0).function(), "_ZN4shop4sellEi");
  EXPECT_EQ(response.resolutions(1).unresolved(), symbol::v1::Resolution::UNRESOLVED_NO_SYMBOL);
}

// A replica of two, whose neighbour owns all binaries. What is asked of the neighbour is kept.
struct OneNeighbour final : Owners {
  std::string OwnerOf(const symbol::v1::BinaryKey&) const override { return owner; }
  std::size_t replicas() const override { return 2; }
  void Resolve(const std::string&, symbol::v1::ResolveRequest request, Answer then) override {
    requests.push_back(std::move(request));
    answers.push_back(std::move(then));
  }
  std::string owner = "neighbour:4042";
  std::vector<symbol::v1::ResolveRequest> requests;
  std::vector<Answer> answers;
};

class ShardTest : public SymbolizerTest {
 protected:
  ShardTest() { sharded_.OnForwarderConnected(); }

  void Send(const sample::v1::PushRequest& batch) { sharded_.OnMessage(1, batch); }

  OneNeighbour neighbour_;
  const std::unique_ptr<TableStore> own_tables_ = OpenStore(folder_ + "_own");
  Wants own_wants_{{}, random_, [](const std::string&) { return 0; }};
  metrics::Registry own_registry_;
  Metrics own_metrics_{own_registry_};
  FakeSink own_sink_;
  Symbolizer sharded_{{}, clock_, *own_tables_, own_wants_, own_sink_, own_metrics_, &neighbour_};
};

// The replica that has the stream asks the owner, which wants the binary of the node and answers
// when its table has come; the profile waits for it, and later ones do not ask again.
TEST_F(ShardTest, OwnerIsAskedAndNamesCome) {
  sharded_.OnStream(1, &stream_);
  Send(Hello());
  Send(FirstBatch(1, 1));
  ASSERT_THAT(neighbour_.requests, SizeIs(1));
  EXPECT_THAT(own_sink_.sent, IsEmpty());

  // The fixture's core is the owner.
  symbol::v1::ResolveResponse answer;
  core_.Resolve(neighbour_.requests[0], [&](const auto& response) { answer = *response; });
  EXPECT_EQ(answer.resolutions_size(), 0);
  PutTable();
  ASSERT_EQ(answer.resolutions_size(), 1);
  EXPECT_TRUE(answer.final());
  neighbour_.answers[0](answer);
  sharded_.Tick();
  ASSERT_THAT(own_sink_.sent, SizeIs(1));
  EXPECT_EQ(Frames(*own_sink_.sent[0])[1], "shop::sell @/bin/program:abcd/true");
  Send(FirstBatch(2, 1, 2000));
  EXPECT_THAT(own_sink_.sent, SizeIs(2));
  EXPECT_THAT(neighbour_.requests, SizeIs(1));
}

// The owner is away and its binaries have come to be ours: the node is asked for them.
TEST_F(ShardTest, OwnerGoesAway) {
  FakeSubscriber subscriber;
  own_wants_.Subscribe(1, "node", &subscriber);
  sharded_.OnStream(1, &stream_);
  Send(Hello());
  Send(FirstBatch(1, 1));
  ASSERT_THAT(neighbour_.answers, SizeIs(1));
  neighbour_.owner = "";
  neighbour_.answers[0](absl::UnavailableError("gone"));
  clock_.Advance(absl::Seconds(1));
  sharded_.Tick();
  EXPECT_THAT(subscriber.wanted, SizeIs(1));
  EXPECT_THAT(own_sink_.sent, IsEmpty());
  const std::string id = TableId(Key());
  ASSERT_TRUE(own_wants_.BeginPut(id, subscriber.wanted.back().lease_id()).ok());
  ASSERT_TRUE(
      own_tables_->WriteFile(id, *WriteTable({{0x1000, 0x1010, "_ZN4shop4sellEi"}}, kTableIsFull))
          .ok());
  sharded_.OnTable(id, Wants::Outcome::kTable, "");
  ASSERT_THAT(own_sink_.sent, SizeIs(1));
  EXPECT_EQ(Frames(*own_sink_.sent[0])[1], "shop::sell @/bin/program:abcd/true");
}

// A collector that has gone on to another replica is not lost, and one that came from another
// replica has not lost what it sent there.
TEST_F(ShardTest, MovedStreamsLoseNothing) {
  neighbour_.owner = "";
  sharded_.OnStream(1, &stream_);
  sample::v1::PushRequest hello = Hello();
  hello.mutable_hello()->set_samples_settled(900);
  Send(hello);
  sample::v1::PushRequest progress;
  progress.mutable_progress()->set_samples_taken(950);
  Send(progress);
  sample::v1::PushRequest moved;
  moved.mutable_moved();
  Send(moved);
  sharded_.OnStreamEnd(1);
  clock_.Advance(absl::Minutes(1));
  sharded_.Tick();
  EXPECT_THAT(own_registry_.Text(), ::testing::Not(HasSubstr("collector_lost")));

  // One that vanishes has lost what came on top of what was settled.
  sharded_.OnStream(2, &stream_);
  sharded_.OnMessage(2, hello);
  sharded_.OnMessage(2, progress);
  sharded_.OnStreamEnd(2);
  clock_.Advance(absl::Minutes(1));
  sharded_.Tick();
  EXPECT_THAT(own_registry_.Text(), HasSubstr("dropped{reason=\"collector_lost\"} 50"));
  EXPECT_THAT(own_registry_.Text(), HasSubstr("stoker_symbolizer_conservation_error 0"));
}

// Somebody who is no replica may ask any: it asks the owner.
TEST_F(ShardTest, AnybodyMayAskAnyReplica) {
  symbol::v1::ResolveRequest request;
  *request.mutable_key() = Key();
  request.add_address(0x1000);
  bool answered = false;
  sharded_.Resolve(request, [&](const auto& response) { answered = response.ok(); });
  ASSERT_THAT(neighbour_.requests, SizeIs(1));
  EXPECT_TRUE(neighbour_.requests[0].from_replica());
  neighbour_.answers[0](symbol::v1::ResolveResponse());
  EXPECT_TRUE(answered);
}

}  // namespace
}  // namespace stoker::symbolizer
