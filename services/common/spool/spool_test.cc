#include "services/common/spool/spool.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/base/status.h"
#include "services/common/testing/fake_clock.h"
#include "services/common/testing/mem_env.h"

namespace stoker::spool {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// What the events said, and what the spool holds must be what they leave over.
struct Ledger {
  std::uint64_t appended = 0;
  std::uint64_t completed = 0;
  std::map<std::string, std::uint64_t> dropped;

  Events events() {
    return {.appended = [this](std::uint64_t samples) { appended += samples; },
            .completed = [this](std::uint64_t samples) { completed += samples; },
            .dropped = [this](std::string_view reason,
                              std::uint64_t samples) { dropped[std::string(reason)] += samples; }};
  }
  [[nodiscard]] std::uint64_t held() const {
    std::uint64_t held = appended - completed;
    for (const auto& [reason, samples] : dropped) held -= samples;
    return held;
  }
};

class SpoolTest : public ::testing::Test {
 protected:
  SpoolTest() { options_.reserve_bytes = 0; }

  void Open(const std::vector<std::string>& consumers = {"a"}) {
    spool_.reset();
    ledger_ = {};
    registry_ = std::make_unique<metrics::Registry>();
    auto spool = Spool::Open(options_, consumers, *env_, clock_, Metrics(*registry_, "test"),
                             ledger_.events());
    ASSERT_TRUE(spool.ok()) << spool.status();
    spool_ = *std::move(spool);
  }

  // The answer to one committed record.
  absl::Status Append(std::string payload, std::uint64_t samples = 1) {
    absl::Status answer = Internal("no answer");
    spool_->Append(std::move(payload), samples, [&](absl::Status status) { answer = status; });
    spool_->Commit();
    return answer;
  }

  std::vector<std::string> ReadAll(const std::string& consumer, bool done) {
    std::vector<std::string> payloads;
    while (true) {
      auto records = spool_->Read(consumer, 100, 1 << 20);
      EXPECT_TRUE(records.ok()) << records.status();
      if (!records.ok() || records->empty()) return payloads;
      for (auto& record : *records) {
        if (done) spool_->Done(consumer, record.sequence);
        payloads.push_back(std::move(record.payload));
      }
    }
  }

  void ExpectConserved() const {
    spool_->Audit([this](std::uint64_t samples) { EXPECT_EQ(samples, ledger_.held()); });
  }

  Options options_{.folder = "/spool"};
  std::unique_ptr<testing::MemEnv> env_ = std::make_unique<testing::MemEnv>();
  testing::FakeClock clock_;
  std::unique_ptr<metrics::Registry> registry_;
  Ledger ledger_;
  std::unique_ptr<Spool> spool_;
};

// Records come back in order, once, and are complete when every consumer is done.
TEST_F(SpoolTest, DeliversToEachConsumer) {
  Open({"a", "b"});
  EXPECT_TRUE(Append("one", 5).ok());
  EXPECT_TRUE(Append("two", 7).ok());
  EXPECT_THAT(ReadAll("a", true), ElementsAre("one", "two"));
  EXPECT_EQ(ledger_.completed, 0);
  EXPECT_THAT(ReadAll("b", true), ElementsAre("one", "two"));
  EXPECT_EQ(ledger_.completed, 12);
  EXPECT_THAT(ReadAll("a", true), IsEmpty());
  ExpectConserved();
}

// A record is answered only once it is durable: nothing before Commit.
TEST_F(SpoolTest, AnswersAfterCommit) {
  Open();
  bool answered = false;
  spool_->Append("one", 1, [&](absl::Status) { answered = true; });
  EXPECT_FALSE(answered);
  EXPECT_THAT(ReadAll("a", false), IsEmpty());
  spool_->Commit();
  EXPECT_TRUE(answered);
}

// What a consumer had not finished comes again after a restart, what it had does not.
TEST_F(SpoolTest, ResumesAtTheCursor) {
  Open();
  for (const char* payload : {"one", "two", "three"}) EXPECT_TRUE(Append(payload).ok());
  auto records = spool_->Read("a", 2, 1 << 20);
  ASSERT_TRUE(records.ok());
  spool_->Done("a", records->at(0).sequence);
  Open();
  EXPECT_EQ(ledger_.appended, 2);
  EXPECT_THAT(ReadAll("a", true), ElementsAre("two", "three"));
  EXPECT_EQ(ledger_.held(), 0);
}

// Finished out of order, the cursor waits for the gap.
TEST_F(SpoolTest, CursorWaitsForTheFirst) {
  Open();
  for (const char* payload : {"one", "two"}) EXPECT_TRUE(Append(payload).ok());
  auto records = spool_->Read("a", 2, 1 << 20);
  ASSERT_TRUE(records.ok());
  spool_->Done("a", records->at(1).sequence);
  EXPECT_EQ(ledger_.completed, 0);
  spool_->Done("a", records->at(0).sequence);
  EXPECT_EQ(ledger_.completed, 2);
}

// A record that one consumer lost counts as lost, once, when all are done.
TEST_F(SpoolTest, LossOfOneConsumerIsCounted) {
  Open({"a", "b"});
  EXPECT_TRUE(Append("one", 5).ok());
  ASSERT_THAT(*spool_->Read("a", 1, 1), SizeIs(1));
  spool_->Lost("a", 1, "too_old");
  EXPECT_THAT(ReadAll("b", true), ElementsAre("one"));
  EXPECT_EQ(ledger_.dropped["too_old"], 5);
  EXPECT_EQ(ledger_.completed, 0);
  ExpectConserved();
}

// Finished files go, whole.
TEST_F(SpoolTest, RemovesFinishedFiles) {
  options_.segment_bytes = 1000;
  Open();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Append(std::string(300, 'x')).ok());
  EXPECT_GT(spool_->state().segments, 5);
  ReadAll("a", true);
  spool_->Commit();
  EXPECT_LE(spool_->state().segments, 1);
  EXPECT_LT(env_->UsedBytes(), 2000);
  ExpectConserved();
}

// Past the byte limit the oldest records go, and their samples are counted.
TEST_F(SpoolTest, DropsTheOldestOverTheLimit) {
  options_.segment_bytes = 1000;
  options_.max_bytes = 10'000;
  Open();
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(Append(std::string(300, static_cast<char>('0' + i % 10)), 10).ok());
    EXPECT_LE(env_->UsedBytes(), 11'500);
  }
  EXPECT_GT(ledger_.dropped["spool_full"], 0);
  const auto left = ReadAll("a", true);
  EXPECT_EQ(ledger_.dropped["spool_full"] + 10 * left.size(), 1000);
  EXPECT_EQ(ledger_.held(), 0);
}

// Past the age limit the oldest records go; a jump of the wall clock alone changes nothing.
TEST_F(SpoolTest, DropsTheOldest) {
  options_.max_age = absl::Hours(1);
  Open();
  EXPECT_TRUE(Append("old", 3).ok());
  clock_.Advance(absl::Minutes(61));
  EXPECT_TRUE(Append("new", 1).ok());
  EXPECT_EQ(ledger_.dropped["spool_age"], 3);
  EXPECT_THAT(ReadAll("a", true), ElementsAre("new"));
}

// With a consumer goes what only it was missing; a new one starts where the oldest stood.
TEST_F(SpoolTest, ReplacesConsumers) {
  Open({"a", "b"});
  for (const char* payload : {"one", "two", "three"}) EXPECT_TRUE(Append(payload).ok());
  ReadAll("a", true);
  auto records = spool_->Read("b", 1, 1);
  spool_->Done("b", records->at(0).sequence);
  spool_->SetConsumers({"a", "c"});
  EXPECT_THAT(ReadAll("c", true), ElementsAre("two", "three"));
  EXPECT_EQ(ledger_.completed, 3);
  EXPECT_TRUE(Append("four", 4).ok());
  ReadAll("a", true);
  spool_->SetConsumers({"a"});
  EXPECT_EQ(ledger_.dropped["consumer_removed"], 4);
  ExpectConserved();
}

// A consumer that the configuration lost while the process was down is dropped at start.
TEST_F(SpoolTest, RemovesConsumersAtStart) {
  Open({"a", "b"});
  EXPECT_TRUE(Append("one", 9).ok());
  ReadAll("a", true);
  Open({"a"});
  EXPECT_EQ(ledger_.dropped["consumer_removed"], 9);
  EXPECT_EQ(ledger_.held(), 0);
}

// A full disk refuses, loses nothing accepted, and takes records again when there is room.
TEST_F(SpoolTest, FullDisk) {
  options_.reserve_bytes = 1000;
  options_.segment_bytes = 4000;
  Open();
  env_->SetCapacity(20'000);
  std::size_t accepted = 0;
  while (Append(std::string(500, 'x')).ok()) ++accepted;
  EXPECT_GT(accepted, 20);
  EXPECT_TRUE(absl::IsResourceExhausted(Append("more")));
  EXPECT_TRUE(spool_->state().full);
  EXPECT_EQ(env_->Contents("/spool/reserve"), "");
  EXPECT_THAT(ReadAll("a", true), SizeIs(accepted));
  spool_->Commit();
  EXPECT_TRUE(Append("again").ok());
  EXPECT_EQ(env_->Contents("/spool/reserve").size(), 1000);
  EXPECT_THAT(ReadAll("a", true), ElementsAre("again"));
  ExpectConserved();
}

// A second process is refused.
TEST_F(SpoolTest, Locks) {
  Open();
  EXPECT_TRUE(absl::IsUnavailable(
      Spool::Open(options_, {"a"}, *env_, clock_, Metrics(*registry_, "other"), {}).status()));
}

// Records over the limit and more than memory may hold are refused at once.
TEST_F(SpoolTest, RefusesTooMuch) {
  options_.max_record_bytes = 100;
  options_.max_pending_bytes = 150;
  Open();
  std::vector<absl::StatusCode> answers;
  for (const std::size_t size : {101, 100, 100}) {
    spool_->Append(std::string(size, 'x'), 1,
                   [&](absl::Status status) { answers.push_back(status.code()); });
  }
  EXPECT_THAT(answers, ElementsAre(absl::StatusCode::kInvalidArgument,
                                   absl::StatusCode::kResourceExhausted));
  spool_->Commit();
  EXPECT_THAT(answers, SizeIs(3));
}

// A file of another version is left as it is, and the spool works beside it.
TEST_F(SpoolTest, LeavesAnotherVersionAlone) {
  const std::string path = "/spool/" + SegmentName(7);
  const std::string contents = EncodeSegmentHeader({.version = 2, .number = 7}) + "unknown";
  env_->SetContents(path, contents);
  Open();
  EXPECT_TRUE(Append("one").ok());
  EXPECT_THAT(ReadAll("a", true), ElementsAre("one"));
  EXPECT_EQ(env_->Contents(path), contents);
}

// A flipped byte anywhere in a spool of three files never stops the start, costs at most two
// records (a header that lies about its length may take its neighbour along), and the counts agree.
TEST_F(SpoolTest, BitFlipAtEveryByte) {
  options_.segment_bytes = 400;
  std::set<std::string> written;
  Open();
  for (int i = 0; i < 9; ++i) {
    const std::string payload = "payload " + std::to_string(i) + std::string(60, 'x');
    written.insert(payload);
    EXPECT_TRUE(Append(payload).ok());
  }
  spool_.reset();
  std::map<std::string, std::string> files;
  for (const std::string& path : env_->Paths()) files[path] = env_->Contents(path);
  std::size_t flips = 0;
  for (const auto& [victim, contents] : files) {
    for (std::size_t at = 0; at < contents.size(); ++at, ++flips) {
      env_ = std::make_unique<testing::MemEnv>();
      for (const auto& [path, bytes] : files) env_->SetContents(path, bytes);
      std::string damaged = contents;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
      env_->SetContents(victim, damaged);
      Open();
      const auto read = ReadAll("a", true);
      EXPECT_GE(read.size(), 8) << victim << " " << at;
      for (const std::string& payload : read) EXPECT_TRUE(written.contains(payload));
      spool_->Commit();
      ExpectConserved();
      EXPECT_TRUE(Append("after").ok());
      EXPECT_THAT(ReadAll("a", true), ElementsAre("after"));
      spool_.reset();
    }
  }
  EXPECT_GT(flips, 1000);
}

}  // namespace
}  // namespace stoker::spool
