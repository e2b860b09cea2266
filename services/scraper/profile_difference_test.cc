// Differences of profiles are those that a plain map of stacks gives, over restarts and damage.
#include "services/scraper/profile_difference.h"

#include <map>
#include <random>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/pprof/profile_builder.h"
#include "services/common/pprof/reader.h"

namespace stoker::scraper {
namespace {

using Values = std::array<std::int64_t, 4>;
// Values by stack, the leaf first, and the size class, as Go's allocs profile has them.
using Samples = std::map<std::string, Values>;

constexpr std::int64_t kSecond = 1'000'000'000;
const char* const kTypes[][2] = {{"alloc_objects", "count"},
                                 {"alloc_space", "bytes"},
                                 {"inuse_objects", "count"},
                                 {"inuse_space", "bytes"}};

// A profile whose addresses are made from the functions' names and `slide`. With `split`, each
// sample comes as two.
std::string Make(const Samples& samples, std::int64_t time, std::uint64_t slide = 0,
                 bool split = false) {
  pprof::ProfileBuilder builder;
  for (const auto& [type, unit] : kTypes) builder.AddSampleType(type, unit);
  builder.SetPeriod("space", "bytes", 524288);
  builder.SetTime(time, 0);
  builder.SetDefaultSampleType("alloc_space");
  const std::uint64_t mapping =
      builder.AddMapping({.start = 4096, .limit = 8192, .filename = "/p"});
  for (const auto& [stack, values] : samples) {
    std::vector<std::uint64_t> locations;
    for (const char name : stack) {
      const std::uint64_t function = builder.AddFunction(
          {.name = fmt::format("main.{}", name), .filename = fmt::format("{}.go", name)});
      const std::uint64_t address =
          slide == UINT64_MAX ? 0 : slide + static_cast<unsigned char>(name);
      locations.push_back(
          builder.AddLocation(mapping, address, {{.function_id = function, .line = 7}}));
    }
    const pprof::ProfileBuilder::Label label{
        .key = "bytes", .num = static_cast<std::int64_t>(stack.size()), .num_unit = "bytes"};
    Values first = values;
    Values second{};
    if (split) {
      for (std::size_t i = 0; i < first.size(); ++i) {
        second[i] = first[i] / 3;
        first[i] -= second[i];
      }
      builder.AddSample(locations, second, {{label}});
    }
    builder.AddSample(locations, first, {{label}});
  }
  return std::move(builder).Finish();
}

Samples Read(const std::string& gzip) {
  const auto profile = pprof::Read(gzip);
  EXPECT_TRUE(profile.ok()) << profile.status();
  Samples samples;
  if (!profile.ok()) return samples;
  for (std::size_t i = 0; i < profile->samples.size(); ++i) {
    std::string stack;
    for (const std::uint32_t location : profile->StackOf(profile->samples[i])) {
      const auto& lines = profile->LinesOf(profile->locations[location]);
      stack += profile->strings[profile->functions[lines[0].function].name].back();
    }
    EXPECT_EQ(profile->LabelsOf(profile->samples[i]).size(), 1U);
    EXPECT_EQ(profile->LabelsOf(profile->samples[i])[0].num,
              static_cast<std::int64_t>(stack.size()));
    EXPECT_FALSE(samples.contains(stack)) << "twice: " << stack;
    std::ranges::copy(profile->ValuesOf(i), samples[stack].begin());
  }
  return samples;
}

// What is expected, computed another way.
Samples Subtract(const Samples& now, const Samples& before) {
  Samples difference;
  for (const auto& [stack, values] : now) {
    Values result = values;
    if (const auto old = before.find(stack); old != before.end()) {
      for (std::size_t i = 0; i < 2; ++i) result[i] -= old->second[i];
    }
    if (result != Values{}) difference[stack] = result;
  }
  return difference;
}

ProfileDifference::Result Next(ProfileDifference& difference, const std::string& message) {
  auto result = difference.Next(message);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *result : ProfileDifference::Result();
}

TEST(ProfileDifference, FirstIsOnlyRemembered) {
  ProfileDifference difference;
  EXPECT_FALSE(Next(difference, Make({{"ab", {1, 2, 3, 4}}}, kSecond)).pprof.has_value());
  EXPECT_EQ(difference.samples(), 1U);
}

TEST(ProfileDifference, CountsAreSubtractedOthersStay) {
  ProfileDifference difference;
  Next(difference, Make({{"ab", {10, 100, 5, 50}}, {"c", {1, 1, 0, 0}}}, kSecond));
  const auto result = Next(
      difference,
      Make({{"ab", {12, 130, 4, 40}}, {"c", {1, 1, 0, 0}}, {"d", {2, 3, 0, 0}}}, 16 * kSecond));
  const Samples expected = {{"ab", {2, 30, 4, 40}}, {"d", {2, 3, 0, 0}}};
  EXPECT_EQ(Read(*result.pprof), expected);
  EXPECT_EQ(result.samples, 2U);
  EXPECT_EQ(result.duration_nanos, 15 * kSecond);
  EXPECT_FALSE(result.reset);
}

TEST(ProfileDifference, RestOfTheProfileIsKept) {
  ProfileDifference difference;
  Next(difference, Make({{"ab", {1, 1, 0, 0}}, {"xy", {1, 1, 0, 0}}}, kSecond));
  const auto result =
      Next(difference, Make({{"ab", {2, 2, 0, 0}}, {"xy", {1, 1, 0, 0}}}, 2 * kSecond));
  const auto profile = pprof::Read(*result.pprof);
  ASSERT_TRUE(profile.ok());
  EXPECT_EQ(profile->period, 524288);
  EXPECT_EQ(profile->strings[profile->period_type.type], "space");
  EXPECT_EQ(profile->strings[profile->default_sample_type], "alloc_space");
  EXPECT_EQ(profile->time_nanos, 2 * kSecond);
  EXPECT_EQ(profile->duration_nanos, kSecond);
  EXPECT_EQ(profile->strings[profile->mappings[0].filename], "/p");
  // What only "xy" had is gone.
  EXPECT_EQ(profile->locations.size(), 2U);
  EXPECT_EQ(profile->functions.size(), 2U);
  EXPECT_THAT(profile->strings, ::testing::Not(::testing::Contains("main.x")));
}

TEST(ProfileDifference, ARestartedProgramIsNewAsAWhole) {
  ProfileDifference difference;
  Next(difference,
       Make({{"a", {10, 100, 0, 0}}, {"b", {5, 5, 0, 0}}, {"c", {1, 1, 0, 0}}}, kSecond));
  const Samples after = {{"a", {3, 30, 1, 10}}, {"b", {7, 7, 0, 0}}};
  const auto result = Next(difference, Make(after, 2 * kSecond));
  EXPECT_TRUE(result.reset);
  EXPECT_EQ(Read(*result.pprof), after);
  EXPECT_EQ(difference.samples(), 2U);
  const auto next =
      Next(difference, Make({{"a", {4, 40, 1, 10}}, {"b", {7, 7, 0, 0}}}, 3 * kSecond));
  EXPECT_EQ(Read(*next.pprof), (Samples{{"a", {1, 10, 1, 10}}}));
}

// As it is with position-independent programs.
TEST(ProfileDifference, ARestartAtOtherAddressesIsNewAsAWhole) {
  ProfileDifference difference;
  const Samples samples = {{"a", {10, 100, 0, 0}}};
  Next(difference, Make(samples, kSecond, 0x1000));
  EXPECT_EQ(Read(*Next(difference, Make(samples, 2 * kSecond, 0x2000)).pprof), samples);
}

TEST(ProfileDifference, DamageChangesNothing) {
  ProfileDifference difference;
  Next(difference, Make({{"a", {10, 100, 0, 0}}}, kSecond));
  const std::string whole = Make({{"a", {50, 500, 0, 0}}, {"b", {1, 1, 0, 0}}}, 2 * kSecond);
  EXPECT_FALSE(difference.Next(whole.substr(0, whole.size() - 3)).ok());
  EXPECT_FALSE(difference.Next("\x12\x02\x10\x01").ok());
  const auto result =
      Next(difference, Make({{"a", {11, 110, 0, 0}}, {"b", {2, 2, 0, 0}}}, 3 * kSecond));
  EXPECT_EQ(Read(*result.pprof), (Samples{{"a", {1, 10, 0, 0}}, {"b", {2, 2, 0, 0}}}));
}

TEST(ProfileDifference, NothingThatCounts) {
  pprof::ProfileBuilder builder;
  builder.AddSampleType("inuse_space", "bytes");
  ProfileDifference difference;
  EXPECT_TRUE(absl::IsFailedPrecondition(difference.Next(std::move(builder).Finish()).status()));
}

// Random profiles, some with equal samples apart, some without addresses, with restarts.
TEST(ProfileDifference, IsWhatAMapOfStacksGives) {
  std::mt19937 random(1);
  for (const std::uint64_t slide : {std::uint64_t{4096}, UINT64_MAX}) {
    ProfileDifference difference;
    Samples before;
    Next(difference, Make(before, 0, slide));
    for (int round = 1; round < 60; ++round) {
      const bool restart = random() % 10 == 0 && !before.empty();
      Samples now = restart ? Samples() : before;
      for (int i = 0; i < 40; ++i) {
        std::string stack;
        for (std::size_t depth = 1 + random() % 4; depth > 0; --depth) {
          stack.push_back(static_cast<char>('a' + random() % 6));
        }
        Values& values = now[stack];
        values[0] += random() % 5;
        values[1] += random() % 500;
        values[2] = static_cast<std::int64_t>(random() % 3);
        values[3] = static_cast<std::int64_t>(random() % 300);
      }
      // A restart shows by a smaller value; make sure that there is one.
      if (restart) {
        const auto& [stack, values] = *before.begin();
        if (values[1] > 0) now[stack] = {0, values[1] - 1, 0, 0};
        before.clear();
      }
      const auto result = Next(difference, Make(now, round, slide, random() % 2 == 0));
      ASSERT_TRUE(result.pprof.has_value());
      EXPECT_EQ(Read(*result.pprof), Subtract(now, before)) << round;
      before = now;
    }
  }
}

}  // namespace
}  // namespace stoker::scraper
