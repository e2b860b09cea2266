#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "services/common/base/status.h"
#include "services/common/spool/spool.h"
#include "services/common/testing/fake_clock.h"
#include "services/common/testing/mem_env.h"

namespace stoker::spool {
namespace {

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t Next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

// A spool at work, and what it promised: `accepted` must be delivered or still be there.
class Workload {
 public:
  Workload(Env& env, Clock& clock, std::uint64_t seed)
      : env_(env), clock_(clock), random_(seed), seed_(seed) {}

  bool Open() {
    auto spool = Spool::Open(
        {.folder = "/spool", .segment_bytes = 8'000, .max_bytes = 1 << 20, .reserve_bytes = 100},
        {"a", "b"}, env_, clock_, Metrics(registry_, "test"), {});
    if (spool.ok()) spool_ = *std::move(spool);
    return spool.ok();
  }

  // Appends a few records, commits, and lets each consumer finish some of what it gets.
  void Step() {
    for (std::uint64_t i = 0; i < 1 + random_.Next() % 4; ++i) {
      const std::string name = std::to_string(seed_) + "-" + std::to_string(next_++);
      spool_->Append(name + " " + std::string(random_.Next() % 3'000, 'x'), 1,
                     [this, name](const absl::Status& status) {
                       if (status.ok()) accepted_.insert(name);
                     });
    }
    spool_->Commit();
    for (const char* consumer : {"a", "b"}) Consume(consumer, 1 + random_.Next() % 4);
  }

  void Consume(const std::string& consumer, std::size_t records) {
    const auto read = spool_->Read(consumer, records, 1 << 20);
    if (!read.ok()) return;
    for (const auto& record : *read) {
      if (random_.Next() % 4 == 0) continue;
      spool_->Done(consumer, record.sequence);
      delivered_[consumer].insert(Name(record.payload));
    }
  }

  [[nodiscard]] static std::string Name(const std::string& payload) {
    return payload.substr(0, payload.find(' '));
  }

  // Records that were promised and that consumer "a" or "b" neither got nor can get from `env`.
  [[nodiscard]] std::set<std::string> Missing(Env& env) {
    spool_.reset();
    metrics::Registry registry;
    auto spool = Spool::Open({.folder = "/spool", .reserve_bytes = 0}, {"a", "b"}, env, clock_,
                             Metrics(registry, "test"), {});
    EXPECT_TRUE(spool.ok()) << spool.status();
    std::set<std::string> missing;
    for (const char* consumer : {"a", "b"}) {
      std::set<std::string> seen = delivered_[consumer];
      for (auto read = (*spool)->Read(consumer, 1000, 1 << 30); read.ok() && !read->empty();
           read = (*spool)->Read(consumer, 1000, 1 << 30)) {
        for (const auto& record : *read) seen.insert(Name(record.payload));
      }
      for (const std::string& name : accepted_) {
        if (!seen.contains(name)) missing.insert(name + " for " + consumer);
      }
    }
    return missing;
  }

  [[nodiscard]] std::size_t accepted() const { return accepted_.size(); }
  Spool* spool() { return spool_.get(); }

 private:
  Env& env_;
  Clock& clock_;
  SeededRandom random_;
  const std::uint64_t seed_;
  metrics::Registry registry_;
  std::unique_ptr<Spool> spool_;
  std::uint64_t next_ = 0;
  std::set<std::string> accepted_;
  std::map<std::string, std::set<std::string>> delivered_;
};

// No record that was answered is lost by a power cut, whichever unsynced blocks survive it: 20,000
// cuts at random points of random work.
TEST(SpoolFaultTest, PowerCuts) {
  testing::FakeClock clock;
  std::size_t accepted = 0;
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    testing::MemEnv env;
    SeededRandom random(seed);
    Workload workload(env, clock, seed);
    ASSERT_TRUE(workload.Open());
    for (std::uint64_t step = 0; step <= random.Next() % 12; ++step) workload.Step();
    workload.spool()->Append(std::string(2'000, 'y'), 1, [](const absl::Status&) {});
    const auto after = env.CrashClone(random);
    accepted += workload.accepted();
    const auto missing = workload.Missing(*after);
    ASSERT_TRUE(missing.empty()) << "seed " << seed << ": " << *missing.begin();
  }
  EXPECT_GT(accepted, 100'000);
}

// Every call to the file system fails once, as EIO and as ENOSPC, with and without a power cut at
// the end: no crash, no record lost that was answered, and the spool takes records again.
TEST(SpoolFaultTest, EveryCallFailsOnce) {
  for (const auto code : {absl::StatusCode::kInternal, absl::StatusCode::kResourceExhausted}) {
    for (std::uint64_t call = 0;; ++call) {
      testing::FakeClock clock;
      testing::MemEnv env;
      SeededRandom random(call);
      Workload workload(env, clock, 1);
      env.FailCall(call, absl::Status(code, "injected"));
      if (!workload.Open() && !workload.Open()) FAIL() << "did not open again, call " << call;
      for (int step = 0; step < 12; ++step) workload.Step();
      const bool reached = env.calls() > call;
      const std::size_t before = workload.accepted();
      EXPECT_GT(before, 10) << "call " << call;
      for (int step = 0; step < 3; ++step) workload.Step();
      EXPECT_GT(workload.accepted(), before) << "call " << call;
      const auto after = env.CrashClone(random);
      const auto missing = workload.Missing(call % 2 == 0 ? *after : env);
      ASSERT_TRUE(missing.empty()) << "call " << call << ": " << *missing.begin();
      if (!reached) break;
    }
  }
}

}  // namespace
}  // namespace stoker::spool
