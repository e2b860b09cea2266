#include "services/store/profile_maker.h"

#include <utility>

#include "services/common/pprof/profile_builder.h"

namespace stoker::store {
namespace {

void SetHead(pprof::ProfileBuilder& builder, std::int64_t time_nanos) {
  builder.AddSampleType("cpu", "nanoseconds");
  builder.SetPeriod("cpu", "nanoseconds", 10'309'278);
  builder.SetTime(time_nanos, 15'000'000'000);
}

}  // namespace

std::string MakeProfile(std::int64_t time_nanos, const std::vector<MadeSample>& samples) {
  pprof::ProfileBuilder builder;
  SetHead(builder, time_nanos);
  const std::uint64_t mapping = builder.AddMapping({.filename = "/bin/app"});
  for (const MadeSample& sample : samples) {
    std::vector<std::uint64_t> locations;
    for (const std::string& name : sample.names) {
      const std::uint64_t function = builder.AddFunction({.name = name});
      locations.insert(locations.begin(), builder.AddLocation(mapping, 0, {{function, 1}}));
    }
    std::vector<pprof::ProfileBuilder::Label> labels;
    if (!sample.thread.empty()) labels.push_back({.key = "thread", .str = sample.thread});
    builder.AddSample(locations, std::vector<std::int64_t>{sample.value}, labels);
  }
  return std::move(builder).Finish();
}

}  // namespace stoker::store
