#include "services/forwarder/profile_service.h"

#include <map>
#include <string>

#include <fmt/format.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include "services/common/spool/committer.h"
#include "services/common/testing/fake_clock.h"
#include "services/common/testing/mem_env.h"

namespace stoker::forwarder {
namespace {

class NoClient final : public PushClient {
 public:
  void Post(HttpPost, std::function<void(HttpAnswer)>) override {}
};

class ProfileServiceTest : public ::testing::Test {
 protected:
  ProfileServiceTest() {
    Settings settings;
    settings.writers["pyroscope.write.x"].endpoints.push_back({.url = "http://a"});
    auto forwarder = Forwarder::Open({.folder = "/data", .spool = {.reserve_bytes = 0}}, settings,
                                     env_, clock_, random_, registry_,
                                     [](const auto&) { return std::make_unique<NoClient>(); });
    EXPECT_TRUE(forwarder.ok());
    forwarder_ = *std::move(forwarder);
    committer_ = std::make_unique<spool::Committer>(forwarder_->spool());
    service_ = std::make_unique<ProfileServiceAdapter>(*forwarder_);
    grpc::ServerBuilder builder;
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    stub_ = profile::v1::ProfileService::NewStub(server_->InProcessChannel({}));
  }
  ~ProfileServiceTest() override { server_->Shutdown(); }

  static profile::v1::Profile MakeProfile(int number, std::size_t bytes) {
    profile::v1::Profile profile;
    profile.set_id(fmt::format("{:016}", number));
    profile.set_pprof(std::string(bytes, 'x'));
    auto& label = *profile.add_labels();
    label.set_name("service_name");
    label.set_value("shop");
    return profile;
  }

  testing::MemEnv env_;
  testing::FakeClock clock_;
  SystemRandom random_;
  metrics::Registry registry_;
  std::unique_ptr<Forwarder> forwarder_;
  std::unique_ptr<spool::Committer> committer_;
  std::unique_ptr<ProfileServiceAdapter> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<profile::v1::ProfileService::Stub> stub_;
};

// Every profile of a stream gets one answer, though the sender sends far more than the forwarder
// holds unanswered, and reads nothing before it has sent all.
TEST_F(ProfileServiceTest, AnswersEveryProfile) {
  grpc::ClientContext context;
  const auto stream = stub_->Push(&context);
  constexpr int kProfiles = 300;
  for (int i = 0; i < kProfiles; i += 3) {
    profile::v1::PushRequest request;
    for (int n = i; n < i + 3; ++n) *request.add_profiles() = MakeProfile(n, 200'000);
    request.mutable_profiles(2)->clear_payload();
    ASSERT_TRUE(stream->Write(request));
  }
  stream->WritesDone();
  std::map<std::string, int> answers;
  int accepted = 0;
  int rejected = 0;
  for (profile::v1::PushResponse response; stream->Read(&response);) {
    for (const auto& answer : response.answers()) {
      ++answers[answer.id()];
      accepted += answer.has_accepted() ? 1 : 0;
      rejected += answer.has_rejected() ? 1 : 0;
    }
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(answers.size(), kProfiles);
  EXPECT_EQ(accepted, kProfiles / 3 * 2);
  EXPECT_EQ(rejected, kProfiles / 3);
}

// A sender that goes away harms nothing: the next one is served.
TEST_F(ProfileServiceTest, SurvivesACancelledStream) {
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    const auto stream = stub_->Push(&context);
    profile::v1::PushRequest request;
    for (int n = 0; n < 20; ++n) *request.add_profiles() = MakeProfile(100 * i + n, 50'000);
    stream->Write(request);
    context.TryCancel();
    EXPECT_FALSE(stream->Finish().ok());
  }
  grpc::ClientContext context;
  const auto stream = stub_->Push(&context);
  profile::v1::PushRequest request;
  *request.add_profiles() = MakeProfile(9'999, 10);
  stream->Write(request);
  profile::v1::PushResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.answers(0).has_accepted());
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

}  // namespace
}  // namespace stoker::forwarder
