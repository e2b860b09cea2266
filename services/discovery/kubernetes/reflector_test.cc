#include "services/discovery/kubernetes/reflector.h"

#include <functional>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/discovery/kubernetes/api_server_double.h"

namespace stoker::discovery::kubernetes {
namespace {

using ::testing::HasSubstr;
using Names = std::set<std::string>;

// The names of the objects that there are, and the last status.
class NamesSink final : public ReflectorSink {
 public:
  struct Seen {
    Names names;
    absl::Status status;
  };

  void ListBegins() override {
    absl::MutexLock lock(&mutex_);
    listed_.clear();
  }
  void ListEnds() override {
    absl::MutexLock lock(&mutex_);
    seen_.names = listed_;
  }
  void Put(Object object) override {
    absl::MutexLock lock(&mutex_);
    listed_.insert(MetaOf(object).name);
    seen_.names.insert(MetaOf(object).name);
  }
  void Remove(const Object& object) override {
    absl::MutexLock lock(&mutex_);
    seen_.names.erase(MetaOf(object).name);
  }
  void SetStatus(const absl::Status& status) override {
    absl::MutexLock lock(&mutex_);
    seen_.status = status;
  }

  // What was seen when `reached` was true of it, or after 30 s.
  Seen Await(const std::function<bool(const Seen&)>& reached) {
    const auto there = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return reached(seen_); };
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(30));
    return seen_;
  }
  Seen Await(const Names& names) {
    return Await([&](const Seen& seen) { return seen.status.ok() && seen.names == names; });
  }
  Seen AwaitFailure(const std::string& text) {
    return Await(
        [&](const Seen& seen) { return seen.status.ToString().find(text) != std::string::npos; });
  }

 private:
  absl::Mutex mutex_;
  Names listed_ ABSL_GUARDED_BY(mutex_);
  Seen seen_ ABSL_GUARDED_BY(mutex_);
};

class ReflectorTest : public ::testing::Test {
 protected:
  std::unique_ptr<Reflector> Start(ReflectorLimits limits) {
    arguments_.api_server = server_.url();
    return std::make_unique<Reflector>(arguments_, PodSurroundings{},
                                       ObjectQuery{.resource = Resource::kPods}, clock_, sink_,
                                       limits);
  }

  const ApiServerDouble server_;
  config::DiscoveryKubernetes arguments_;
  SystemClock clock_;
  NamesSink sink_;
};

// A watch from which nothing comes any more is taken up by another, which goes on where it was:
// what changed meanwhile comes without a new list, and nothing is reported.
TEST_F(ReflectorTest, SilentWatch) {
  server_.Do(R"({"bookmark_seconds": 0.2, "pods": [{"name": "a"}]})");
  const auto reflector = Start({.watch_idle = absl::Seconds(2)});
  EXPECT_EQ(sink_.Await(Names{"a"}).names, Names{"a"});
  server_.Do(R"({"drop_watches": "silent"})");
  server_.Do(R"({"pods": [{"name": "b"}]})");
  const auto seen = sink_.Await(Names{"a", "b"});
  EXPECT_EQ(seen.names, (Names{"a", "b"}));
  EXPECT_EQ(seen.status, absl::OkStatus());
  EXPECT_EQ(reflector->DebugState()["lists"], 1) << reflector->DebugState();
}

// A page that comes drop by drop, or not at all, ends in its time with the place and the cause;
// when the server is well again the list comes.
TEST_F(ReflectorTest, SlowPages) {
  server_.Do(R"({"pods": [{"name": "a"}], "faults": [{"kind": "slow", "seconds": 0.05}]})");
  const auto reflector = Start({.page = absl::Seconds(2), .page_idle = absl::Seconds(1)});
  EXPECT_THAT(sink_.AwaitFailure("timed out").status.ToString(),
              HasSubstr("GET " + server_.url() + "/api/v1/pods: Operation timed out"));
  server_.Do(R"({"faults": [{"kind": "slow", "seconds": 100}]})");
  EXPECT_THAT(sink_.AwaitFailure("too slow").status.ToString(), HasSubstr("/api/v1/pods"));
  server_.Do(R"({"faults": []})");
  EXPECT_EQ(sink_.Await(Names{"a"}).names, Names{"a"});
}

}  // namespace
}  // namespace stoker::discovery::kubernetes
