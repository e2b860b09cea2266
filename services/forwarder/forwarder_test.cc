#include "services/forwarder/forwarder.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/push/v1/push.pb.h"
#include "services/common/base/status.h"
#include "services/common/pprof/profile_builder.h"
#include "services/common/pprof/reader.h"
#include "services/common/testing/fake_clock.h"
#include "services/common/testing/mem_env.h"

namespace stoker::forwarder {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class CountingRandom final : public Random {
 public:
  std::uint64_t Next() override { return ++last_ << 40; }

 private:
  std::uint64_t last_ = 0;
};

// The far ends: a queue of requests per URL, answered when the test says so.
struct FarEnds {
  struct Request {
    HttpPost post;
    std::function<void(HttpAnswer)> done;
  };
  std::map<std::string, std::vector<Request>> waiting;

  class Client final : public PushClient {
   public:
    Client(FarEnds& ends, std::string url) : ends_(ends), url_(std::move(url)) {}
    void Post(HttpPost post, std::function<void(HttpAnswer)> done) override {
      ends_.waiting[url_].push_back({std::move(post), std::move(done)});
    }

   private:
    FarEnds& ends_;
    const std::string url_;
  };

  // Answers all that waits; the requests.
  std::vector<HttpPost> Answer(const std::string& url, const HttpAnswer& answer) {
    std::vector<HttpPost> posts;
    for (Request& request : std::exchange(waiting[url], {})) {
      request.done(answer);
      posts.push_back(std::move(request.post));
    }
    return posts;
  }
};

const HttpAnswer kOk = {.status = 200};
const HttpAnswer kUnavailable = {.status = 503, .body = R"({"code":"unavailable","message":"x"})"};
constexpr char kA[] = "http://a";
constexpr char kB[] = "http://b/";

config::PyroscopeWrite WriteTo(const std::vector<std::string>& urls) {
  config::PyroscopeWrite write;
  for (const std::string& url : urls) write.endpoints.push_back({.url = url});
  return write;
}

profile::v1::Profile MakeProfile(int number, std::uint64_t samples = 1) {
  profile::v1::Profile profile;
  profile.set_id(fmt::format("{:016}", number));
  profile.set_samples(samples);
  profile.set_pprof(fmt::format("pprof {}", number));
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"__name__", "process_cpu"}, {"__process_pid__", "7"}, {"service_name", "shop"}}) {
    auto& label = *profile.add_labels();
    label.set_name(name);
    label.set_value(value);
  }
  return profile;
}

class ForwarderTest : public ::testing::Test {
 protected:
  ForwarderTest() { settings_.writers["pyroscope.write.x"] = WriteTo({kA}); }

  void Open() {
    forwarder_.reset();
    registry_ = std::make_unique<metrics::Registry>();
    auto forwarder = Forwarder::Open(
        {.folder = "/data", .spool = {.reserve_bytes = 0}}, settings_, env_, clock_, random_,
        *registry_, [this](const config::PyroscopeWrite::Endpoint& endpoint) {
          return std::make_unique<FarEnds::Client>(ends_, endpoint.url);
        });
    ASSERT_TRUE(forwarder.ok()) << forwarder.status();
    forwarder_ = *std::move(forwarder);
  }

  profile::v1::Answer Push(profile::v1::Profile profile) {
    profile::v1::Answer answer;
    forwarder_->Push(std::move(profile), [&](profile::v1::Answer given) { answer = given; });
    forwarder_->spool().Commit();
    return answer;
  }

  // Lets the core run until it has nothing to do at this instant.
  void Run() {
    while (forwarder_->Poll() == absl::ZeroDuration()) {
    }
    forwarder_->spool().Commit();
    forwarder_->Audit();
  }

  std::size_t Waiting(const std::string& url) { return ends_.waiting[url].size(); }
  [[nodiscard]] std::string Metrics() const { return registry_->Text(); }

  testing::MemEnv env_;
  testing::FakeClock clock_;
  CountingRandom random_;
  FarEnds ends_;
  Settings settings_;
  std::unique_ptr<metrics::Registry> registry_;
  std::unique_ptr<Forwarder> forwarder_;
};

// A profile is accepted, and goes out as Alloy would send it, under its id.
TEST_F(ForwarderTest, SendsAPush) {
  settings_.writers["pyroscope.write.x"].external_labels = {{"env", "prod"}};
  settings_.writers["pyroscope.write.x"].endpoints[0].headers = {{"X-Extra", "1"}};
  settings_.tenant = "team";
  Open();
  EXPECT_TRUE(Push(MakeProfile(1)).has_accepted());
  Run();
  const auto posts = ends_.Answer(kA, kOk);
  ASSERT_THAT(posts, SizeIs(1));
  EXPECT_EQ(posts[0].url, "http://a/push.v1.PusherService/Push");
  EXPECT_EQ(posts[0].headers.Get("Content-Type"), "application/proto");
  EXPECT_EQ(posts[0].headers.Get("Connect-Protocol-Version"), "1");
  EXPECT_EQ(posts[0].headers.Get("Connect-Timeout-Ms"), "10000");
  EXPECT_EQ(posts[0].headers.Get("X-Scope-OrgID"), "team");
  EXPECT_EQ(posts[0].headers.Get("X-Extra"), "1");
  push::v1::PushRequest request;
  ASSERT_TRUE(request.ParseFromString(posts[0].body));
  std::vector<std::string> labels;
  for (const auto& label : request.series(0).labels()) {
    labels.push_back(label.name() + "=" + label.value());
  }
  EXPECT_THAT(labels, ElementsAre("__name__=process_cpu", "env=prod", "service_name=shop"));
  EXPECT_EQ(request.series(0).samples(0).raw_profile(), "pprof 1");
  EXPECT_EQ(request.series(0).samples(0).id(), "30303030-3030-3030-3030-303030303031");
}

// Once sent, a profile is out, and not sent again after a restart.
TEST_F(ForwarderTest, CountsWhatWasSent) {
  Open();
  Push(MakeProfile(1, 42));
  Run();
  EXPECT_THAT(Metrics(), HasSubstr("stoker_forwarder_in_flight 42"));
  ends_.Answer(kA, kOk);
  Run();
  EXPECT_THAT(Metrics(), HasSubstr("stoker_forwarder_out 42"));
  EXPECT_THAT(Metrics(), HasSubstr("stoker_forwarder_conservation_error 0"));
  EXPECT_THAT(Metrics(), HasSubstr("pyroscope_write_sent_profiles_total{component_id=\"pyroscope."
                                   "write.x\",endpoint=\"http://a\"} 1"));
  Open();
  Run();
  EXPECT_EQ(Waiting(kA), 0);
}

// A profile that no endpoint has taken yet is sent after a restart.
TEST_F(ForwarderTest, ResumesAfterARestart) {
  Open();
  Push(MakeProfile(1));
  Run();
  ends_.waiting.clear();
  Open();
  Run();
  EXPECT_EQ(Waiting(kA), 1);
}

// An endpoint that is down delays no other, and gets everything once it is back.
TEST_F(ForwarderTest, EndpointsAreIndependent) {
  settings_.writers["pyroscope.write.x"] = WriteTo({kA, kB});
  Open();
  std::size_t sent_to_a = 0;
  for (int i = 0; i < 200; ++i) {
    Push(MakeProfile(i));
    Run();
    sent_to_a += ends_.Answer(kA, kOk).size();
    ends_.Answer(kB, kUnavailable);
    Run();
  }
  EXPECT_EQ(sent_to_a, 200);
  EXPECT_THAT(Metrics(), HasSubstr("stoker_forwarder_in_flight 200"));
  std::size_t sent_to_b = 0;
  for (int seconds = 0; seconds < 600 && sent_to_b < 200; ++seconds) {
    clock_.Advance(absl::Seconds(1));
    Run();
    sent_to_b += ends_.Answer(kB, kOk).size();
  }
  EXPECT_EQ(sent_to_b, 200);
  Run();
  EXPECT_THAT(Metrics(), HasSubstr("stoker_forwarder_in_flight 0"));
  EXPECT_THAT(Metrics(), HasSubstr("stoker_forwarder_out 200"));
}

// While an endpoint is down it is asked rarely, one profile at a time, at most max_backoff apart.
TEST_F(ForwarderTest, BacksOff) {
  settings_.writers["pyroscope.write.x"].endpoints[0].max_backoff_period = absl::Seconds(30);
  Open();
  for (int i = 0; i < 20; ++i) Push(MakeProfile(i));
  std::size_t requests = 0;
  for (int seconds = 0; seconds < 600; ++seconds) {
    Run();
    EXPECT_LE(Waiting(kA), 16);
    requests += ends_.Answer(kA, kUnavailable).size();
    clock_.Advance(absl::Seconds(1));
  }
  EXPECT_GE(requests, 16 + 600 / 30 - 2);
  EXPECT_LE(requests, 60);
  EXPECT_THAT(Metrics(), HasSubstr("stoker_forwarder_in_flight 20"));
}

// An endpoint that nobody serves is looked for every few seconds, however long it has been away,
// and gets everything soon after it is there.
TEST_F(ForwarderTest, FindsAnEndpointThatStarts) {
  Open();
  for (int i = 0; i < 20; ++i) Push(MakeProfile(i));
  for (int seconds = 0; seconds < 3'600; ++seconds) {
    Run();
    ends_.Answer(kA, {.transport = Unavailable("connection refused")});
    clock_.Advance(absl::Seconds(1));
  }
  std::size_t sent = 0;
  for (int seconds = 0; seconds < 10; ++seconds) {
    Run();
    sent += ends_.Answer(kA, kOk).size();
    clock_.Advance(absl::Seconds(1));
  }
  EXPECT_EQ(sent, 20);
}

// Retry-After is honoured.
TEST_F(ForwarderTest, HonoursRetryAfter) {
  Open();
  Push(MakeProfile(1));
  Run();
  ends_.Answer(kA, {.status = 429, .headers = {{"Retry-After", "60"}}});
  for (int seconds = 0; seconds < 59; ++seconds) {
    clock_.Advance(absl::Seconds(1));
    Run();
    EXPECT_EQ(Waiting(kA), 0);
  }
  clock_.Advance(absl::Seconds(2));
  Run();
  EXPECT_EQ(Waiting(kA), 1);
}

// A refusal for good is counted, kept with its reason, and holds up nobody.
TEST_F(ForwarderTest, KeepsDeadLetters) {
  Open();
  Push(MakeProfile(1, 5));
  Run();
  ends_.Answer(kA, {.status = 400, .body = R"({"code":"invalid_argument","message":"too bad"})"});
  Run();
  EXPECT_THAT(Metrics(), HasSubstr("stoker_forwarder_dropped{reason=\"refused\"} 5"));
  EXPECT_THAT(Metrics(), HasSubstr("stoker_forwarder_conservation_error 0"));
  std::string reasons;
  for (const std::string& path : env_.Paths()) {
    if (path.ends_with(".reason")) reasons += env_.Contents(path);
  }
  EXPECT_THAT(reasons, HasSubstr("status=400 msg=too bad"));
}

// What Pyroscope refuses for its age is lost under that name, without a dead letter.
TEST_F(ForwarderTest, DropsTooOld) {
  Open();
  Push(MakeProfile(1, 5));
  Run();
  const std::string body =
      R"({"code":"invalid_argument","message":"profile is outside of ingestion window"})";
  ends_.Answer(kA, {.status = 400, .body = body});
  Run();
  EXPECT_THAT(Metrics(), HasSubstr("stoker_forwarder_dropped{reason=\"too_old\"} 5"));
  EXPECT_EQ(forwarder_->State()["dead_letters"]["profiles"], 0);
}

// One profile that always fails while others pass becomes a dead letter, and they are not delayed.
TEST_F(ForwarderTest, SetsPoisonAside) {
  settings_.writers["pyroscope.write.x"].endpoints[0].max_backoff_period = absl::Seconds(1);
  Open();
  Push(MakeProfile(0));
  std::size_t sent = 0;
  for (int i = 1; i <= 100; ++i) {
    Push(MakeProfile(i));
    Run();
    for (auto& request : std::exchange(ends_.waiting[kA], {})) {
      const bool poison = request.post.body.find("pprof 0") != std::string::npos;
      if (!poison) ++sent;
      request.done(poison ? kUnavailable : kOk);
    }
    EXPECT_EQ(sent, i);
    clock_.Advance(absl::Seconds(1));
  }
  Run();
  EXPECT_THAT(Metrics(), HasSubstr("stoker_forwarder_dropped{reason=\"failed_repeatedly\"} 1"));
}

// A profile that is refused and over Pyroscope's limits goes again in parts, which hold all of it;
// it is out when the last part is.
TEST_F(ForwarderTest, SplitsWhatIsTooLarge) {
  constexpr std::uint64_t kSamples = 20'000;
  pprof::ProfileBuilder builder;
  builder.AddSampleType("cpu", "nanoseconds");
  for (std::uint64_t i = 1; i <= kSamples; ++i) {
    const std::uint64_t location = builder.AddLocation(0, i, {});
    const std::int64_t value = 1;
    builder.AddSample({&location, 1}, {&value, 1}, {});
  }
  Open();
  auto profile = MakeProfile(1, kSamples);
  profile.set_pprof(std::move(builder).Finish());
  EXPECT_TRUE(Push(profile).has_accepted());
  Run();
  ends_.Answer(kA, {.status = 400, .body = "too many samples"});
  std::set<std::string> ids;
  std::size_t samples = 0;
  for (Run(); Waiting(kA) > 0; Run()) {
    EXPECT_THAT(Metrics(), HasSubstr("stoker_forwarder_in_flight 20000"));
    push::v1::PushRequest request;
    ASSERT_TRUE(request.ParseFromString(ends_.Answer(kA, kOk).at(0).body));
    const auto read = pprof::Read(request.series(0).samples(0).raw_profile());
    ASSERT_TRUE(read.ok()) << read.status();
    samples += read->samples.size();
    EXPECT_LE(read->samples.size(), 16'000);
    ids.insert(request.series(0).samples(0).id());
  }
  EXPECT_EQ(samples, kSamples);
  EXPECT_EQ(ids.size(), 2);
  EXPECT_THAT(Metrics(), HasSubstr("stoker_forwarder_out 20000"));
}

// A profile that is sent again under its id, because its answer was lost, is accepted and not
// delivered twice; another profile under the same id is.
TEST_F(ForwarderTest, AcceptsAReplayOnce) {
  Open();
  EXPECT_TRUE(Push(MakeProfile(1)).has_accepted());
  EXPECT_TRUE(Push(MakeProfile(1)).has_accepted());
  auto other = MakeProfile(1);
  other.set_pprof("another");
  EXPECT_TRUE(Push(other).has_accepted());
  Run();
  EXPECT_EQ(Waiting(kA), 2);
}

// Receivers: those named, else the only one; an unknown one may come within 30 s.
TEST_F(ForwarderTest, FindsReceivers) {
  Open();
  auto profile = MakeProfile(1);
  profile.add_receivers("pyroscope.write.y");
  EXPECT_EQ(Push(profile).retry_after_ms(), 1000);
  clock_.Advance(absl::Seconds(29));
  EXPECT_EQ(Push(profile).retry_after_ms(), 1000);
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(Push(profile).rejected().reason(), "unknown_receiver");
  EXPECT_THAT(Metrics(), HasSubstr("rejected_profiles_total{reason=\"unknown_receiver\"} 1"));
  settings_.writers["pyroscope.write.y"] = WriteTo({kB});
  ASSERT_TRUE(forwarder_->Apply(settings_).ok());
  EXPECT_TRUE(Push(profile).has_accepted());
  EXPECT_EQ(Push(MakeProfile(2)).rejected().reason(), "invalid_argument");
  settings_.default_receivers = {"pyroscope.write.x"};
  ASSERT_TRUE(forwarder_->Apply(settings_).ok());
  EXPECT_TRUE(Push(MakeProfile(3)).has_accepted());
  Run();
  EXPECT_EQ(Waiting(kA), 1);
  EXPECT_EQ(Waiting(kB), 1);
}

// Bad profiles are refused with a reason, at once.
TEST_F(ForwarderTest, RefusesBadProfiles) {
  Open();
  auto profile = MakeProfile(1);
  profile.set_id("short");
  EXPECT_EQ(Push(profile).rejected().reason(), "invalid_argument");
  profile = MakeProfile(1);
  profile.clear_payload();
  EXPECT_EQ(Push(profile).rejected().reason(), "invalid_argument");
  profile = MakeProfile(1);
  profile.mutable_labels(2)->set_name("service-name");
  EXPECT_EQ(Push(profile).rejected().message(),
            "invalid labels in profile: invalid label name: invalid label name: service-name: "
            "character is not allowed: '-'");
}

// A reload that mends a URL gives the new endpoint what the old one could not deliver.
TEST_F(ForwarderTest, ReloadKeepsTheBacklog) {
  Open();
  Push(MakeProfile(1));
  Run();
  ends_.Answer(kA, {.transport = Unavailable("connection refused")});
  Run();
  settings_.writers["pyroscope.write.x"] = WriteTo({kB});
  ASSERT_TRUE(forwarder_->Apply(settings_).ok());
  Run();
  EXPECT_EQ(ends_.Answer(kB, kOk).size(), 1);
  Run();
  EXPECT_THAT(Metrics(), HasSubstr("stoker_forwarder_out 1"));
}

// The backlog of a removed endpoint is dropped and counted.
TEST_F(ForwarderTest, ReloadDropsTheBacklogOfARemovedEndpoint) {
  settings_.writers["pyroscope.write.x"] = WriteTo({kA, kB});
  Open();
  Push(MakeProfile(1, 3));
  Run();
  ends_.Answer(kA, kOk);
  Run();
  settings_.writers["pyroscope.write.x"] = WriteTo({kA});
  ASSERT_TRUE(forwarder_->Apply(settings_).ok());
  Run();
  EXPECT_THAT(Metrics(), HasSubstr("stoker_forwarder_dropped{reason=\"consumer_removed\"} 3"));
  EXPECT_THAT(Metrics(), HasSubstr("stoker_forwarder_conservation_error 0"));
}

// A password in a URL is used, and shown nowhere.
TEST_F(ForwarderTest, HidesPasswords) {
  settings_.writers["pyroscope.write.x"] = WriteTo({"http://user:secret@a/p@th"});
  Open();
  Push(MakeProfile(1));
  Run();
  EXPECT_THAT(ends_.Answer("http://user:secret@a/p@th", kUnavailable), SizeIs(1));
  Run();
  EXPECT_THAT(Metrics(), HasSubstr("endpoint=\"http://a/p@th\""));
  EXPECT_THAT(Metrics() + forwarder_->State().dump(), Not(HasSubstr("secret")));
}

// A legacy request goes on as it came, its name made anew from the labels.
TEST_F(ForwarderTest, PassesIngestOn) {
  settings_.writers["pyroscope.write.x"].external_labels = {{"env", "prod"}};
  Open();
  auto profile = MakeProfile(1);
  auto& ingest = *profile.mutable_ingest();
  ingest.set_path("/ingest");
  ingest.set_query("from=1&name=old%7B%7D&until=2");
  ingest.set_content_type("binary/octet-stream");
  ingest.set_body("jfr");
  EXPECT_TRUE(Push(profile).has_accepted());
  Run();
  const auto posts = ends_.Answer(kA, kOk);
  ASSERT_THAT(posts, SizeIs(1));
  EXPECT_EQ(posts[0].url,
            "http://a/ingest?name=shop%7B__process_pid__%3D7%2Cenv%3Dprod%2Cservice_name%3Dshop%7D"
            "&from=1&until=2");
  EXPECT_EQ(posts[0].headers.Get("Content-Type"), "binary/octet-stream");
  EXPECT_EQ(posts[0].body, "jfr");
}

}  // namespace
}  // namespace stoker::forwarder
