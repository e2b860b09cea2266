#include "services/store/busy_program.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <string_view>
#include <utility>

#include "services/common/pprof/profile_builder.h"

namespace stoker::store {
namespace {

constexpr std::uint32_t kFunctions = 240;
constexpr std::uint32_t kPaths = 60'000;
// How much rarer each next place is than the one before: Zipf's exponent.
constexpr double kTail = 1.1;
constexpr std::int64_t kPeriod = 10'309'278;

constexpr std::array<std::string_view, 24> kWords = {
    "Request", "Session",  "Buffer", "Index", "Cache",  "Parser", "Channel", "Stream",
    "Record",  "Handle",   "Encode", "Fetch", "Merge",  "Commit", "Lookup",  "Visit",
    "Compute", "Dispatch", "Node",   "Table", "Cursor", "Schema", "Writer",  "Pool"};

// Skewed towards 0: of many callees few are called mostly.
std::uint32_t Skewed(std::mt19937_64& random, std::uint32_t below) {
  const double unit = std::uniform_real_distribution<double>(0, 1)(random);
  return std::min(below - 1, static_cast<std::uint32_t>(std::pow(unit, 6) * below));
}

}  // namespace

BusyProgram::BusyProgram(unsigned seed) {
  std::mt19937_64 random(seed);
  const auto word = [&] { return std::string(kWords[random() % kWords.size()]); };
  for (std::uint32_t n = 0; n < kFunctions; ++n) {
    const std::string module = word();
    functions_.push_back({.name = "app" + std::to_string(seed) + "::" + module + "::" + word() +
                                  word() + std::to_string(n),
                          .file = "/src/" + module + "/" + word() + ".cc",
                          .address = 0x400000 + n * 0x100});
  }
  // Paths from the root: mostly along calls that were made before, then a few new ones.
  nodes_.push_back({});
  std::vector<std::vector<std::uint32_t>> callees(1);
  for (std::uint32_t path = 0; path < kPaths; ++path) {
    std::uint32_t at = 0;
    const std::size_t depth = 3 + random() % 5 + Skewed(random, 24);
    for (std::size_t i = 0; i < depth; ++i) {
      const bool follow = !callees[at].empty() && random() % 32 != 0;
      if (!follow) {
        callees[at].push_back(static_cast<std::uint32_t>(nodes_.size()));
        callees.emplace_back();
        nodes_.push_back({.parent = at,
                          .function = Skewed(random, kFunctions),
                          .line = static_cast<std::uint32_t>(1 + random() % 2)});
        at = callees[at].back();
      } else {
        at = callees[at][Skewed(random, static_cast<std::uint32_t>(callees[at].size()))];
      }
    }
    places_.push_back(at);
  }
  std::ranges::sort(places_);
  places_.erase(std::ranges::unique(places_).begin(), places_.end());
  std::ranges::shuffle(places_, random);
  double sum = 0;
  for (std::size_t n = 0; n < places_.size(); ++n) {
    sum += std::pow(static_cast<double>(n + 1), -kTail);
    shares_.push_back(sum);
  }
  for (double& share : shares_) share /= sum;
}

std::string BusyProgram::Profile(std::int64_t time_nanos, std::uint64_t number, int samples) const {
  pprof::ProfileBuilder builder;
  builder.AddSampleType("cpu", "nanoseconds");
  builder.SetPeriod("cpu", "nanoseconds", kPeriod);
  builder.SetTime(time_nanos, 15'000'000'000);
  const std::uint64_t mapping = builder.AddMapping({.start = 0x400000,
                                                    .limit = 0x4000000,
                                                    .filename = "/usr/bin/app",
                                                    .build_id = "5f0c8a3be1d94f72",
                                                    .has_functions = true});
  std::mt19937_64 random(number);
  std::uniform_real_distribution<double> unit(0, 1);
  // Hits of each place, in the order of their first.
  std::vector<std::int64_t> hits(places_.size());
  std::vector<std::size_t> hit;
  while (hit.size() < static_cast<std::size_t>(samples)) {
    const auto at =
        static_cast<std::size_t>(std::ranges::lower_bound(shares_, unit(random)) - shares_.begin());
    if (hits[at]++ == 0) hit.push_back(at);
  }
  std::vector<std::uint64_t> stack;
  for (const std::size_t at : hit) {
    stack.clear();
    for (std::uint32_t n = places_[at]; n != 0; n = nodes_[n].parent) {
      const Function& function = functions_[nodes_[n].function];
      const std::uint64_t id =
          builder.AddFunction({.name = function.name, .filename = function.file});
      stack.push_back(builder.AddLocation(mapping, function.address + nodes_[n].line * 16,
                                          {{id, static_cast<std::int64_t>(nodes_[n].line * 7)}}));
    }
    const std::array<std::int64_t, 1> values = {hits[at] * kPeriod};
    builder.AddSample(stack, values);
  }
  return std::move(builder).Finish();
}

}  // namespace stoker::store
