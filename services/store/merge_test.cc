#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/google/v1/profile.pb.h"
#include "services/common/pprof/gzip.h"
#include "services/store/busy_program.h"
#include "services/store/store_fixture.h"

namespace stoker::store {
namespace {

constexpr char kCpu[] = "process_cpu:cpu:nanoseconds:cpu:nanoseconds";

// Values by stack, a stack as its functions with files and lines, the leaf first.
using Folded = std::map<std::string, std::int64_t>;

// Read by the generated classes, not by the code that the store uses.
void Add(const google::v1::Profile& profile, Folded& folded) {
  std::map<std::uint64_t, const google::v1::Location*> locations;
  for (const auto& location : profile.location()) locations[location.id()] = &location;
  std::map<std::uint64_t, const google::v1::Function*> functions;
  for (const auto& function : profile.function()) functions[function.id()] = &function;
  const auto text = [&](std::int64_t index) {
    return profile.string_table(static_cast<int>(index));
  };
  for (const auto& sample : profile.sample()) {
    std::string stack;
    for (const std::uint64_t id : sample.location_id()) {
      for (const auto& line : locations.at(id)->line()) {
        const google::v1::Function& function = *functions.at(line.function_id());
        stack += text(function.name()) + " " + text(function.filename()) + ":" +
                 std::to_string(line.line()) + ";";
      }
    }
    folded[stack] += sample.value(0);
  }
}

std::int64_t TotalOf(const Folded& folded) {
  std::int64_t total = 0;
  for (const auto& [stack, value] : folded) total += value;
  return total;
}

class MergeTest : public StoreFixture {
 protected:
  // Pushes profiles of two programs for so long that blocks are made and merged on the way.
  void PushHours() {
    const BusyProgram programs[] = {BusyProgram(1), BusyProgram(2)};
    for (std::uint64_t n = 0; n < 200; ++n) {
      const std::string raw =
          programs[n % 2].Profile(absl::ToUnixNanos(clock_.Now()), n, 100 + static_cast<int>(n));
      google::v1::Profile profile;
      ASSERT_TRUE(profile.ParseFromString(raw));
      Add(profile, pushed_);
      ASSERT_EQ(Push({{"__name__", "process_cpu"},
                      {"service_name", "app" + std::to_string(n % 2)},
                      {"instance", std::to_string(n % 7)}},
                     n % 3 == 0 ? raw : pprof::Gzip(raw)),
                "ok");
      clock_.Advance(absl::Minutes(1));
      ASSERT_TRUE(storage_->Maintain().ok());
    }
  }

  [[nodiscard]] querier::v1::SelectMergeProfileRequest Request() const {
    querier::v1::SelectMergeProfileRequest request;
    request.set_profile_typeid(kCpu);
    request.set_label_selector("{}");
    request.set_start(1);
    request.set_end(NowMs());
    return request;
  }

  Folded pushed_;
};

// What was pushed comes back to the unit: as a pprof stack by stack, as a flame graph, a tree's
// total and a series in sum, from the head and from blocks together.
TEST_F(MergeTest, EqualsWhatWasPushed) {
  PushHours();
  ASSERT_GT(storage_->sizes().blocks, 0);
  const auto profile = querier_->SelectMergeProfile(Request());
  ASSERT_TRUE(profile.ok()) << Message(profile.status());
  Folded merged;
  Add(*profile, merged);
  EXPECT_EQ(merged, pushed_);

  querier::v1::SelectMergeStacktracesRequest graph;
  graph.set_profile_typeid(kCpu);
  graph.set_label_selector("{}");
  graph.set_start(1);
  graph.set_end(NowMs());
  EXPECT_EQ(querier_->SelectMergeStacktraces(graph)->flamegraph().total(), TotalOf(pushed_));

  querier::v1::SelectSeriesRequest series;
  series.set_profile_typeid(kCpu);
  series.set_label_selector("{}");
  series.set_start(absl::ToUnixMillis(clock_.Now() - absl::Hours(4)));
  series.set_end(NowMs());
  series.set_step(60);
  series.add_group_by("instance");
  const auto points = querier_->SelectSeries(series);
  ASSERT_TRUE(points.ok()) << Message(points.status());
  EXPECT_EQ(points->series_size(), 7);
  double total = 0;
  for (const auto& one : points->series()) {
    for (const auto& point : one.points()) total += point.value();
  }
  EXPECT_EQ(static_cast<std::int64_t>(total), TotalOf(pushed_));
}

// With a limit the smallest stacks become "other", and nothing of the total is lost.
TEST_F(MergeTest, LimitKeepsTheTotal) {
  PushHours();
  auto request = Request();
  request.set_max_nodes(50);
  const auto profile = querier_->SelectMergeProfile(request);
  ASSERT_TRUE(profile.ok()) << Message(profile.status());
  EXPECT_EQ(profile->sample_size(), 51);
  Folded merged;
  Add(*profile, merged);
  EXPECT_EQ(TotalOf(merged), TotalOf(pushed_));
  EXPECT_EQ(merged.count("other :0;"), 1);
}

}  // namespace
}  // namespace stoker::store
