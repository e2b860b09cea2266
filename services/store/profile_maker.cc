#include "services/store/profile_maker.h"

#include <random>
#include <utility>

#include "services/common/pprof/profile_builder.h"

namespace stoker::store {
namespace {

void SetHead(pprof::ProfileBuilder& builder, std::int64_t time_nanos) {
  builder.AddSampleType("cpu", "nanoseconds");
  builder.SetPeriod("cpu", "nanoseconds", 10'309'278);
  builder.SetTime(time_nanos, 15'000'000'000);
}

// A walk through the program's calls that a number decides: function `n` calls 4 others.
std::vector<std::uint64_t> Walk(pprof::ProfileBuilder& builder, std::uint64_t mapping,
                                unsigned program, std::uint64_t walk) {
  constexpr unsigned kFunctions = 3'000;
  std::mt19937_64 random(walk);
  std::vector<std::uint64_t> stack(10 + random() % 25);
  unsigned at = program;
  for (std::size_t depth = stack.size(); depth-- > 0;) {
    // Mostly the first of the four, so that walks share their beginnings.
    const std::uint64_t choice = random() % 16;
    at = (at * 4 + (choice < 12 ? 0 : static_cast<unsigned>(choice - 11)) + program) % kFunctions;
    const std::string name = "program" + std::to_string(program) + "::module" +
                             std::to_string(at % 40) + "::Function" + std::to_string(at) +
                             "(int, std::string const&)";
    const std::uint64_t function = builder.AddFunction(
        {.name = name, .filename = "/src/module" + std::to_string(at % 40) + ".cc"});
    stack[depth] =
        builder.AddLocation(mapping, 0, {{function, static_cast<std::int64_t>(at % 97)}});
  }
  return stack;
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

std::string MakeBusyProfile(std::int64_t time_nanos, unsigned program, unsigned profile,
                            int samples) {
  pprof::ProfileBuilder builder;
  SetHead(builder, time_nanos);
  const std::uint64_t mapping =
      builder.AddMapping({.filename = "/bin/program", .build_id = "abcd", .has_functions = true});
  std::mt19937_64 random(profile);
  for (int i = 0; i < samples; ++i) {
    const std::uint64_t walk = random() % (random() % 8 != 0 ? 2'000 : 40'000);
    const std::int64_t hits = 1 + static_cast<std::int64_t>(random() % 3);
    builder.AddSample(Walk(builder, mapping, program, walk),
                      std::vector<std::int64_t>{hits * 10'309'278});
  }
  return std::move(builder).Finish();
}

}  // namespace stoker::store
