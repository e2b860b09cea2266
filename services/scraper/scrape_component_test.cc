// Scrapes keep their phases, timeouts and labels in simulated time, and a bad target harms itself.
#include "services/scraper/scrape_component.h"

#include <deque>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/base/status.h"
#include "services/common/pprof/gzip.h"
#include "services/common/pprof/profile_builder.h"
#include "services/common/pprof/reader.h"

namespace stoker::scraper {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr absl::Duration kInterval = absl::Seconds(15);
constexpr absl::Duration kStep = absl::Milliseconds(20);
const absl::Time kStart = absl::FromUnixSeconds(1'700'000'003);

std::string Profile(const char* type, const char* unit, std::int64_t value) {
  pprof::ProfileBuilder builder;
  builder.AddSampleType(type, unit);
  const std::uint64_t function = builder.AddFunction({.name = "main.main"});
  const std::uint64_t location = builder.AddLocation(0, 16, {{.function_id = function}});
  builder.AddSample(std::vector<std::uint64_t>{location}, std::vector<std::int64_t>{value});
  return std::move(builder).FinishGzip();
}

std::string CpuProfile() { return Profile("cpu", "nanoseconds", 5); }

// Holds requests until the test answers them.
class FakeClient final : public http::Client {
 public:
  struct Sent {
    http::ClientRequest request;
    Callback done;
  };
  struct Log {
    std::map<std::uint64_t, Sent> running;
    std::uint64_t next = 0;
  };

  explicit FakeClient(Log& log) : log_(log) {}
  ~FakeClient() override {
    while (!log_.running.empty()) Cancel(log_.running.begin()->first);
  }
  std::uint64_t Send(http::ClientRequest request, Callback done) override {
    log_.running.emplace(++log_.next, Sent{std::move(request), std::move(done)});
    return log_.next;
  }
  void Cancel(std::uint64_t id) override {
    auto sent = log_.running.extract(id);
    if (!sent.empty()) sent.mapped().done(absl::CancelledError("cancelled"));
  }

 private:
  Log& log_;
};

struct FakeSink final : forwarding::ProfileSink {
  void Send(std::shared_ptr<const profile::v1::Profile> profile) override {
    sent.push_back(std::move(profile));
  }
  std::vector<std::shared_ptr<const profile::v1::Profile>> sent;
};

class ScrapeComponentTest : public ::testing::Test, public Surroundings {
 protected:
  ScrapeComponentTest() {
    settings_.id = "pyroscope.scrape.t";
    settings_.node = "n";
    settings_.tenant = "anonymous";
    settings_.max_profile_bytes = 1 << 20;
    settings_.arguments.forward_to = {"pyroscope.write.w"};
    Only("process_cpu");
    queue_.OnConnected();
  }

  bool RunAside(std::size_t, std::function<void()> work) override {
    if (full_) return false;
    work();
    return true;
  }
  void Post(std::function<void(Now)> event) override { events_.push_back(std::move(event)); }

  // Leaves one type on.
  void Only(const std::string& type) {
    auto& config = settings_.arguments.profiling_config;
    config.memory.enabled = type == "memory";
    config.block.enabled = config.goroutine.enabled = config.mutex.enabled = false;
    config.process_cpu.enabled = type == "process_cpu";
  }

  void Make() {
    component_ = std::make_unique<ScrapeComponent>(
        settings_,
        [this](const config::HttpClientConfig&) { return std::make_unique<FakeClient>(log_); },
        *this, queue_, metrics_);
  }
  void SetTargets(const std::vector<std::string>& addresses) {
    model::TargetVector targets;
    for (const std::string& address : addresses) {
      targets.push_back(std::make_shared<model::Target>(
          model::Target{.id = address, .labels = {{"__address__", address}}}));
    }
    component_->SetTargets(std::move(targets), MakeNow());
  }
  Now MakeNow() const { return {now_, kStart + now_}; }

  void RunEvents() {
    while (!events_.empty()) {
      const auto event = std::move(events_.front());
      events_.pop_front();
      event(MakeNow());
    }
  }
  // Lets time pass; `each` is called after each step.
  void Advance(absl::Duration by, const std::function<void()>& each = [] {}) {
    for (const absl::Duration end = now_ + by; now_ < end;) {
      now_ += kStep;
      component_->Tick(MakeNow());
      each();
      RunEvents();
    }
  }
  void AnswerAll(const absl::StatusOr<http::Response>& response) {
    while (!log_.running.empty()) {
      auto sent = log_.running.extract(log_.running.begin());
      sent.mapped().done(response);
    }
    RunEvents();
  }
  static http::Response Ok(std::string body) { return {.status = 200, .body = std::move(body)}; }

  // The only job's state after an answer.
  nlohmann::json StateAfter(const absl::StatusOr<http::Response>& response) {
    if (component_ == nullptr) {
      Make();
      SetTargets({"a:1"});
    }
    Advance(kInterval);
    EXPECT_EQ(log_.running.size(), 1U);
    AnswerAll(response);
    return component_->State()["jobs"][0];
  }
  double Metric(const std::string& line_start) {
    const std::string text = registry_.Text();
    const std::size_t at = text.find(line_start);
    return at == text.npos ? 0 : std::stod(text.substr(text.find("} ", at) + 2));
  }

  metrics::Registry registry_;
  Metrics metrics_{registry_};
  FakeSink sink_;
  forwarding::ProfileQueue queue_{1 << 20, sink_, metrics_.stage,
                                  metrics_.registry.Gauge("stoker_test_queue_bytes", "")};
  FakeClient::Log log_;
  std::deque<std::function<void(Now)>> events_;
  bool full_ = false;
  absl::Duration now_ = absl::Seconds(1000);
  ScrapeComponent::Settings settings_;
  std::unique_ptr<ScrapeComponent> component_;
};

TEST_F(ScrapeComponentTest, EveryJobOnceAnIntervalAtItsPhase) {
  Make();
  std::vector<std::string> addresses;
  for (int i = 0; i < 200; ++i) addresses.push_back(fmt::format("10.0.0.{}:80", i));
  SetTargets(addresses);
  std::map<std::string, std::vector<absl::Duration>> times;
  const absl::Duration begin = now_;
  Advance(4 * kInterval, [&] {
    for (const auto& [id, sent] : log_.running) times[sent.request.url].push_back(now_ - begin);
    AnswerAll(Ok(CpuProfile()));
  });
  EXPECT_THAT(times, SizeIs(200));
  std::array<int, 15> per_second{};
  for (const auto& [url, at] : times) {
    ASSERT_THAT(at, SizeIs(4)) << url;
    EXPECT_LE(at[0], kInterval + kStep);
    ++per_second[static_cast<std::size_t>(at[0] / absl::Seconds(1)) % 15];
    for (std::size_t i = 1; i < at.size(); ++i) EXPECT_EQ(at[i] - at[i - 1], kInterval);
  }
  // Spread over the interval: no second has none or more than thrice its share.
  for (const int count : per_second) {
    EXPECT_GT(count, 0);
    EXPECT_LT(count, 40);
  }
}

TEST_F(ScrapeComponentTest, PhaseSurvivesARestart) {
  const auto first = [&] {
    Make();
    SetTargets({"a:1"});
    Advance(2 * kInterval, [&] {
      if (!log_.running.empty()) AnswerAll(Ok(CpuProfile()));
    });
    return absl::ToUnixMillis(kStart + component_->NextDue()) % 15000;
  };
  const auto phase = first();
  now_ += absl::Seconds(7);
  EXPECT_EQ(first(), phase);
}

TEST_F(ScrapeComponentTest, SendsTheBodyByteForByte) {
  const std::string body = CpuProfile();
  StateAfter(Ok(body));
  ASSERT_THAT(sink_.sent, SizeIs(1));
  const profile::v1::Profile& profile = *sink_.sent[0];
  EXPECT_EQ(profile.pprof(), body);
  EXPECT_EQ(profile.id().size(), 16U);
  EXPECT_EQ(profile.samples(), 1U);
  EXPECT_EQ(profile.producer(), "pyroscope.scrape.t");
  EXPECT_EQ(profile.tenant(), "anonymous");
  EXPECT_THAT(profile.receivers(), ElementsAre("pyroscope.write.w"));
  std::map<std::string, std::string> labels;
  for (const auto& label : profile.labels()) labels[label.name()] = label.value();
  EXPECT_THAT(labels,
              ElementsAre(Pair("__name__", "process_cpu"), Pair("instance", "a:1"),
                          Pair("job", "pyroscope.scrape.t"), Pair("service_name", "unspecified")));
  StateAfter(Ok(body));
  EXPECT_NE(sink_.sent[0]->id(), sink_.sent[1]->id());
}

TEST_F(ScrapeComponentTest, RunningScrapeSkipsItsTurn) {
  Make();
  SetTargets({"a:1"});
  Advance(3 * kInterval);
  ASSERT_THAT(log_.running, SizeIs(1));
  EXPECT_EQ(log_.running.begin()->second.request.timeout, absl::Seconds(18 + 14));
  EXPECT_EQ(Metric("stoker_scraper_skipped_scrapes_total"), 2);
  AnswerAll(Ok(CpuProfile()));
  Advance(kInterval);
  EXPECT_EQ(log_.next, 2U);
}

TEST_F(ScrapeComponentTest, AHangingTargetDelaysNoOther) {
  Make();
  SetTargets({"a:1", "b:1"});
  Advance(4 * kInterval, [&] {
    for (auto& [id, sent] : log_.running) {
      if (sent.request.url.find("//b:1") == std::string::npos) continue;
      auto taken = log_.running.extract(id);
      taken.mapped().done(Ok(CpuProfile()));
      break;
    }
  });
  EXPECT_THAT(sink_.sent, SizeIs(4));
  EXPECT_THAT(log_.running, SizeIs(1));
}

TEST_F(ScrapeComponentTest, RemovedTargetIsCancelled) {
  Make();
  SetTargets({"a:1", "b:1"});
  Advance(kInterval);
  ASSERT_THAT(log_.running, SizeIs(2));
  SetTargets({"b:1"});
  RunEvents();
  ASSERT_THAT(log_.running, SizeIs(1));
  EXPECT_THAT(log_.running.begin()->second.request.url, HasSubstr("//b:1/"));
  AnswerAll(Ok(CpuProfile()));
  EXPECT_THAT(sink_.sent, SizeIs(1));
  Advance(kInterval);
  EXPECT_THAT(log_.running, SizeIs(1));
  component_.reset();
  RunEvents();
  EXPECT_THAT(log_.running, SizeIs(0));
}

TEST_F(ScrapeComponentTest, ErrorsSayWhy) {
  struct Case {
    absl::StatusOr<http::Response> response;
    const char* error;
    const char* reason;
  };
  const Case cases[] = {
      {http::Response{.status = 500, .body = " cpu profiling already in use\n"},
       "server returned HTTP status (500) cpu profiling already in use", "http_status"},
      {http::Response{.status = 204}, "server returned HTTP status (204)", "http_status"},
      {Ok("<!DOCTYPE html>login"), "text response instead of pprof", "invalid_profile"},
      {Ok(""), "empty profile", "invalid_profile"},
      {Ok(CpuProfile().substr(0, 40)), "invalid profile data", "invalid_profile"},
      {Ok(pprof::Gzip(std::string(2 << 20, '\0'))), "", "too_large"},
      {absl::DeadlineExceededError("GET http://a:1/: timed out"), "timed out", "timeout"},
      {absl::UnavailableError("refused"), "refused", "unreachable"},
  };
  for (const Case& c : cases) {
    const auto before = Metric(fmt::format(
        "stoker_scraper_scrapes_total{{component_id=\"pyroscope.scrape.t\",result=\"{}\"}}",
        c.reason));
    const nlohmann::json state = StateAfter(c.response);
    EXPECT_EQ(state["health"], "down");
    EXPECT_THAT(state["last_error"].get<std::string>(), HasSubstr(c.error));
    EXPECT_NE(state["last_scrape"], "");
    EXPECT_EQ(state["last_success"], "");
    EXPECT_EQ(
        Metric(fmt::format(
            "stoker_scraper_scrapes_total{{component_id=\"pyroscope.scrape.t\",result=\"{}\"}}",
            c.reason)),
        before + 1)
        << c.reason;
  }
  const nlohmann::json good = StateAfter(Ok(CpuProfile()));
  EXPECT_EQ(good["health"], "up");
  EXPECT_EQ(good["last_error"], "");
  EXPECT_NE(good["last_success"], "");
  EXPECT_EQ(good["labels"]["instance"], "a:1");
  EXPECT_EQ(good["url"], "http://a:1/debug/pprof/profile?seconds=14");
}

TEST_F(ScrapeComponentTest, DifferencesAreTakenWhereTheTargetDoesNot) {
  Only("memory");
  StateAfter(Ok(Profile("alloc_space", "bytes", 100)));
  EXPECT_THAT(sink_.sent, SizeIs(0));
  StateAfter(Ok(Profile("alloc_space", "bytes", 130)));
  ASSERT_THAT(sink_.sent, SizeIs(1));
  const auto profile = pprof::Read(sink_.sent[0]->pprof());
  ASSERT_TRUE(profile.ok());
  EXPECT_THAT(profile->values, ElementsAre(30));
  std::map<std::string, std::string> labels;
  for (const auto& label : sink_.sent[0]->labels()) labels[label.name()] = label.value();
  EXPECT_THAT(labels, Contains(Pair("__delta__", "false")));
  // Nothing new: nothing to send.
  EXPECT_EQ(StateAfter(Ok(Profile("alloc_space", "bytes", 130)))["health"], "up");
  EXPECT_THAT(sink_.sent, SizeIs(1));
  // A bad answer forgets nothing.
  StateAfter(Ok("<html>"));
  StateAfter(Ok(Profile("alloc_space", "bytes", 150)));
  EXPECT_THAT(pprof::Read(sink_.sent[1]->pprof())->values, ElementsAre(20));
  EXPECT_EQ(Metric("stoker_scraper_difference_samples"), 1);
}

// In Alloy a new forward_to is not seen by what runs, and other arguments lose what is remembered.
TEST_F(ScrapeComponentTest, ChangedArgumentsKeepWhatIsRemembered) {
  Only("memory");
  StateAfter(Ok(Profile("alloc_space", "bytes", 100)));
  settings_.arguments.forward_to = {"pyroscope.write.other"};
  settings_.arguments.scrape_interval = absl::Seconds(10);
  component_->Change(settings_, MakeNow());
  Advance(absl::Seconds(10));
  AnswerAll(Ok(Profile("alloc_space", "bytes", 101)));
  ASSERT_THAT(sink_.sent, SizeIs(1));
  EXPECT_THAT(sink_.sent[0]->receivers(), ElementsAre("pyroscope.write.other"));
  EXPECT_THAT(pprof::Read(sink_.sent[0]->pprof())->values, ElementsAre(1));
}

TEST_F(ScrapeComponentTest, ReplicasShareTargetsAndOnlyALostShareMoves) {
  settings_.arguments.clustering = true;
  const std::vector<std::string> all = {"r1", "r2", "r3"};
  std::vector<std::string> addresses;
  for (int i = 0; i < 300; ++i) addresses.push_back(fmt::format("10.0.0.{}:80", i));
  const auto jobs_of = [&](const std::string& self, const std::vector<std::string>& members) {
    Make();
    component_->SetShare(Share(members, self), MakeNow());
    SetTargets(addresses);
    std::set<std::string> instances;
    const nlohmann::json state = component_->State();
    for (const auto& job : state["jobs"]) instances.insert(job["labels"]["instance"]);
    return instances;
  };
  std::map<std::string, std::string> owners;
  for (const std::string& self : all) {
    for (const std::string& instance : jobs_of(self, all)) {
      EXPECT_TRUE(owners.emplace(instance, self).second) << instance << " has two owners";
    }
  }
  EXPECT_THAT(owners, SizeIs(300));
  const std::set<std::string> r1 = jobs_of("r1", {"r1", "r3"});
  const std::set<std::string> r3 = jobs_of("r3", {"r1", "r3"});
  EXPECT_EQ(r1.size() + r3.size(), 300U);
  for (const auto& [instance, owner] : owners) {
    if (owner != "r2") {
      EXPECT_TRUE((owner == "r1" ? r1 : r3).contains(instance)) << instance;
    }
  }
}

TEST_F(ScrapeComponentTest, WithoutClusteringASharingProcessScrapesAll) {
  Make();
  component_->SetShare(std::nullopt, MakeNow());
  SetTargets({"a:1"});
  EXPECT_EQ(component_->jobs(), 1U);
  component_->SetShare(Share({"other"}, "self"), MakeNow());
  EXPECT_EQ(component_->jobs(), 1U);
}

TEST_F(ScrapeComponentTest, NothingBeforeTheShareIsKnown) {
  settings_.arguments.clustering = true;
  Make();
  component_->SetShare(std::nullopt, MakeNow());
  SetTargets({"a:1"});
  EXPECT_EQ(component_->jobs(), 0U);
  component_->SetShare(Share({"other", "self"}, "self"), MakeNow());
  component_->SetShare(Share({"self"}, "self"), MakeNow());
  EXPECT_EQ(component_->jobs(), 1U);
}

// A target that goes to another replica and comes back: its scrape ends, and what was remembered of
// it is not compared with what came meanwhile.
TEST_F(ScrapeComponentTest, MovedTargetsBeginAnew) {
  settings_.arguments.clustering = true;
  Only("memory");
  StateAfter(Ok(Profile("alloc_space", "bytes", 100)));
  Advance(kInterval);
  ASSERT_THAT(log_.running, SizeIs(1));
  component_->SetShare(Share({"other"}, "self"), MakeNow());
  ASSERT_THAT(log_.running, SizeIs(1)) << "the running scrape is not cut";
  Advance(3 * kInterval);
  ASSERT_EQ(log_.next, 2U) << "no other begins";
  AnswerAll(Ok(Profile("alloc_space", "bytes", 130)));
  ASSERT_THAT(sink_.sent, SizeIs(1));
  EXPECT_EQ(component_->jobs(), 0U);
  EXPECT_EQ(Metric("stoker_scraper_difference_samples"), 0);

  component_->SetShare(Share({"self"}, "self"), MakeNow());
  Advance(kInterval);
  AnswerAll(Ok(Profile("alloc_space", "bytes", 900)));
  EXPECT_THAT(sink_.sent, SizeIs(1));
  Advance(kInterval);
  AnswerAll(Ok(Profile("alloc_space", "bytes", 907)));
  ASSERT_THAT(sink_.sent, SizeIs(2));
  EXPECT_THAT(pprof::Read(sink_.sent[1]->pprof())->values, ElementsAre(7));
  EXPECT_EQ(Metric("stoker_scraper_moved_jobs_total{component_id=\"pyroscope.scrape.t\","
                   "direction=\"in\"}"),
            1);
}

// It comes back before its last scrape is over: that one goes on, and so does what is remembered.
TEST_F(ScrapeComponentTest, AShareThatComesBackAtOnceLosesNothing) {
  settings_.arguments.clustering = true;
  Only("memory");
  StateAfter(Ok(Profile("alloc_space", "bytes", 100)));
  Advance(kInterval);
  component_->SetShare(Share({"other"}, "self"), MakeNow());
  component_->SetShare(Share({"self"}, "self"), MakeNow());
  AnswerAll(Ok(Profile("alloc_space", "bytes", 130)));
  ASSERT_THAT(sink_.sent, SizeIs(1));
  Advance(kInterval);
  EXPECT_THAT(log_.running, SizeIs(1));
}

TEST_F(ScrapeComponentTest, LeavingJobsHaveNoTurnWhateverChanges) {
  settings_.arguments.clustering = true;
  Make();
  SetTargets({"a:1"});
  Advance(kInterval);
  component_->SetShare(Share({"other"}, "self"), MakeNow());
  settings_.arguments.scrape_interval = absl::Seconds(10);
  component_->Change(settings_, MakeNow());
  EXPECT_EQ(component_->NextDue(), absl::InfiniteDuration());
  AnswerAll(Ok(CpuProfile()));
  EXPECT_EQ(component_->jobs(), 0U);
  Advance(2 * kInterval);
  EXPECT_EQ(log_.next, 1U);
}

TEST_F(ScrapeComponentTest, LeavingJobsGoWithTheirClient) {
  settings_.arguments.clustering = true;
  Make();
  SetTargets({"a:1"});
  Advance(kInterval);
  component_->SetShare(Share({"other"}, "self"), MakeNow());
  EXPECT_EQ(component_->jobs(), 1U);
  settings_.arguments.client.follow_redirects = false;
  component_->Change(settings_, MakeNow());
  RunEvents();
  EXPECT_EQ(component_->jobs(), 0U);
}

TEST_F(ScrapeComponentTest, RefusedTargetsAreShown) {
  Make();
  SetTargets({"a:1", "b/c"});
  const nlohmann::json state = component_->State();
  EXPECT_EQ(state["job_count"], 1);
  EXPECT_EQ(state["refused"][0]["address"], "b/c");
  EXPECT_EQ(state["refused"][0]["error"], "\"b/c:80\" is not a valid hostname");
}

TEST_F(ScrapeComponentTest, TooMuchToReadIsAnError) {
  full_ = true;
  EXPECT_THAT(StateAfter(Ok(CpuProfile()))["last_error"].get<std::string>(),
              HasSubstr("too many profiles wait"));
}

}  // namespace
}  // namespace stoker::scraper
