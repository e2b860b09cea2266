#include "services/common/targets/target_watcher.h"

#include <deque>
#include <optional>
#include <utility>

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include "services/common/testing/fake_clock.h"
#include "services/common/wire/target.h"

namespace stoker::targets {
namespace {

constexpr absl::Duration kDeadline = absl::Seconds(20);

// A discovery that sends what the test pushes, on whatever stream runs, until the test ends it.
class FakeDiscovery final : public target::v1::TargetService::Service {
 public:
  grpc::Status Watch(grpc::ServerContext* context, const target::v1::WatchRequest* request,
                     grpc::ServerWriter<target::v1::WatchResponse>* writer) override {
    absl::MutexLock lock(&mutex_);
    requests_.push_back(*request);
    while (!context->IsCancelled()) {
      const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return !responses_.empty() || end_;
      };
      mutex_.AwaitWithTimeout(absl::Condition(&ready), absl::Milliseconds(50));
      if (end_) return *std::exchange(end_, std::nullopt);
      if (responses_.empty()) continue;
      writer->Write(responses_.front());
      responses_.pop_front();
    }
    return grpc::Status::CANCELLED;
  }

  void Push(const std::vector<model::Target>& upsert, const std::vector<std::string>& remove,
            bool synced) {
    target::v1::WatchResponse response;
    for (const model::Target& target : upsert) *response.add_upsert() = wire::ToProto(target);
    for (const std::string& id : remove) response.add_remove(id);
    response.set_synced(synced);
    absl::MutexLock lock(&mutex_);
    responses_.push_back(std::move(response));
  }
  void End(grpc::Status status) {
    absl::MutexLock lock(&mutex_);
    end_ = std::move(status);
  }
  std::vector<target::v1::WatchRequest> requests() {
    absl::MutexLock lock(&mutex_);
    return requests_;
  }

 private:
  absl::Mutex mutex_;
  std::deque<target::v1::WatchResponse> responses_ ABSL_GUARDED_BY(mutex_);
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);
  std::vector<target::v1::WatchRequest> requests_ ABSL_GUARDED_BY(mutex_);
};

class InProcessDialer final : public rpc::Dialer {
 public:
  explicit InProcessDialer(grpc::Server& server) : server_(server) {}
  std::shared_ptr<grpc::Channel> Dial(const std::string&) override {
    return server_.InProcessChannel({});
  }

 private:
  grpc::Server& server_;
};

class TargetWatcherTest : public ::testing::Test {
 protected:
  // Waits until the list holds `ids`, in order.
  void Await(const std::vector<std::string>& ids) {
    const auto reached = [this, &ids]()
                             ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ids_ == ids; };
    absl::MutexLock lock(&mutex_);
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&reached), kDeadline));
  }

  void Changed() {
    absl::MutexLock lock(&mutex_);
    ids_.clear();
    for (const model::TargetPtr& target : watcher_->Targets()) ids_.emplace_back(target->id);
    not_found_ |= absl::IsNotFound(watcher_->state().status);
  }

  void Start() {
    absl::MutexLock lock(&mutex_);
    watcher_ = std::make_unique<TargetWatcher>(
        TargetWatcher::Options{.component_id = "pyroscope.ebpf.x", .node_name = "n"}, dialer_,
        clock_, random_, [this] { Changed(); });
  }

  FakeDiscovery discovery_;
  const std::unique_ptr<grpc::Server> server_ =
      grpc::ServerBuilder().RegisterService(&discovery_).BuildAndStart();
  InProcessDialer dialer_{*server_};
  testing::FakeClock clock_;
  SystemRandom random_;
  absl::Mutex mutex_;
  std::vector<std::string> ids_ ABSL_GUARDED_BY(mutex_);
  bool not_found_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<TargetWatcher> watcher_;
};

// The request names consumer, argument and node; changes arrive; a malformed target is counted and
// harms no other.
TEST_F(TargetWatcherTest, FollowsTheStream) {
  Start();
  discovery_.Push({{"1", {{"a", "x"}}, 7}, {"", {}, 0}, {"2", {}, 0}}, {}, true);
  Await({"1", "2"});
  discovery_.Push({}, {"1"}, true);
  Await({"2"});
  const auto request = discovery_.requests().at(0);
  EXPECT_EQ(request.component_id(), "pyroscope.ebpf.x");
  EXPECT_EQ(request.argument(), "targets");
  EXPECT_EQ(request.scope().kind(), target::v1::Scope::KIND_NODE);
  EXPECT_EQ(request.scope().node_name(), "n");
  EXPECT_EQ(watcher_->state().refused, 1u);
  EXPECT_TRUE(watcher_->state().synced);
}

// A stream that ends leaves the list; the next one replaces it once it is synced.
TEST_F(TargetWatcherTest, SurvivesTheLossOfDiscovery) {
  Start();
  discovery_.Push({{"1", {}, 0}, {"2", {}, 0}}, {}, true);
  Await({"1", "2"});
  discovery_.End({grpc::StatusCode::UNAVAILABLE, "gone"});
  discovery_.Push({{"3", {}, 0}}, {}, false);
  Await({"1", "2", "3"});
  discovery_.Push({{"2", {}, 0}}, {}, true);
  Await({"2", "3"});
  EXPECT_EQ(watcher_->state().streams, 2u);
}

// The reason of a stream's end is told, and the list stays; destruction ends a stream that runs.
TEST_F(TargetWatcherTest, TellsTheEnd) {
  Start();
  discovery_.Push({{"1", {}, 0}}, {}, true);
  Await({"1"});
  discovery_.End({grpc::StatusCode::NOT_FOUND, "no component pyroscope.ebpf.x"});
  {
    absl::MutexLock lock(&mutex_);
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&not_found_), kDeadline));
  }
  EXPECT_EQ(watcher_->Targets().size(), 1u);
  discovery_.Push({{"2", {}, 0}}, {}, false);
  Await({"1", "2"});
  watcher_.reset();
}

}  // namespace
}  // namespace stoker::targets
