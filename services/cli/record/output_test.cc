// Two profiles of two processes become one file in each format, byte for byte as in testdata.
#include "services/cli/record/output.h"

#include <fstream>
#include <iterator>

#include <absl/strings/escaping.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "services/cli/record/recording.h"
#include "services/common/pprof/gzip.h"
#include "services/common/pprof/profile_builder.h"
#include "services/common/pprof/reader.h"

namespace stoker::cli {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kPeriod = 10'000'000;

std::string Golden(const std::string& name) {
  std::ifstream file("services/cli/record/testdata/" + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

// main → hot, with `inner` inlined into hot, and main → a frame without a name.
std::string OneProfile(std::int64_t hot_samples) {
  pprof::ProfileBuilder builder;
  builder.AddSampleType("cpu", "nanoseconds");
  builder.SetPeriod("cpu", "nanoseconds", kPeriod);
  builder.SetTime(1'000, 1'000'000'000);
  const auto binary = builder.AddMapping({.filename = "/usr/bin/app", .has_functions = true});
  const auto stripped = builder.AddMapping({.filename = "/lib/libc.so.6"});
  const auto main = builder.AddFunction({.name = "main", .filename = "app.cc"});
  const auto hot = builder.AddFunction({.name = "hot(int; char)", .filename = "app.cc"});
  const auto inner = builder.AddFunction({.name = "inner", .filename = "inner.h"});
  const auto at_main = builder.AddLocation(binary, 0x10, {{.function_id = main, .line = 5}});
  const auto at_hot = builder.AddLocation(
      binary, 0x20, {{.function_id = inner, .line = 2}, {.function_id = hot, .line = 9}});
  const auto at_unnamed = builder.AddLocation(stripped, 0x2a1f, {});
  const std::int64_t hot_value = hot_samples * kPeriod;
  builder.AddSample(std::vector<std::uint64_t>{at_hot, at_main}, std::span(&hot_value, 1));
  builder.AddSample(std::vector<std::uint64_t>{at_unnamed, at_main}, std::span(&kPeriod, 1));
  return std::move(builder).FinishGzip();
}

profile::v1::Profile Message(const std::string& service, const std::string& pprof,
                             std::uint64_t samples) {
  profile::v1::Profile profile;
  target::v1::Label& label = *profile.add_labels();
  label.set_name("service_name");
  label.set_value(service);
  profile.set_pprof(pprof);
  profile.set_samples(samples);
  return profile;
}

// Twice one process, once another.
std::string Recorded() {
  Recording recording;
  EXPECT_TRUE(recording.Add(Message("app", OneProfile(3), 4)).ok());
  EXPECT_TRUE(recording.Add(Message("app", OneProfile(4), 5)).ok());
  EXPECT_TRUE(recording.Add(Message("helper", OneProfile(1), 2)).ok());
  EXPECT_EQ(recording.samples(), 11U);
  return recording.Finish(absl::FromUnixSeconds(1'700'000'000), absl::Seconds(2));
}

constexpr char kTitle[] = "app --fast";

std::string Rendered(OutputFormat format, const std::string& pprof) {
  const auto profile = pprof::Read(pprof);
  EXPECT_TRUE(profile.ok());
  return Render(format, pprof, *profile, {.name = kTitle, .exporter = "stoker 1"});
}

TEST(OutputTest, Folded) {
  EXPECT_EQ(Rendered(OutputFormat::kFolded, Recorded()), Golden("golden.folded"));
}

TEST(OutputTest, Speedscope) {
  const std::string text = Rendered(OutputFormat::kSpeedscope, Recorded());
  EXPECT_EQ(text, Golden("golden.speedscope.json"));
  // What speedscope relies on: as many weights as samples, their sum the end, frames that exist.
  const auto file = nlohmann::json::parse(text);
  const auto& profile = file["profiles"][0];
  ASSERT_EQ(profile["samples"].size(), profile["weights"].size());
  std::int64_t sum = 0;
  for (const auto& weight : profile["weights"]) sum += weight.get<std::int64_t>();
  EXPECT_EQ(sum, profile["endValue"]);
  EXPECT_EQ(sum, 11 * kPeriod);
  for (const auto& sample : profile["samples"]) {
    for (const std::size_t frame : sample) EXPECT_LT(frame, file["shared"]["frames"].size());
  }
}

// The recording's time is its own, not the sum of its profiles'; each sample says its process.
TEST(OutputTest, Pprof) {
  const std::string file = Rendered(OutputFormat::kPprof, Recorded());
  ASSERT_TRUE(pprof::IsGzip(file));
  const auto profile = pprof::Read(file);
  ASSERT_TRUE(profile.ok());
  EXPECT_EQ(profile->time_nanos, 1'700'000'000'000'000'000);
  EXPECT_EQ(profile->duration_nanos, 2'000'000'000);
  EXPECT_EQ(profile->period, kPeriod);
  ASSERT_EQ(profile->samples.size(), 4U);
  std::map<std::string, std::int64_t> by_process;
  for (std::size_t i = 0; i < profile->samples.size(); ++i) {
    const auto labels = profile->LabelsOf(profile->samples[i]);
    ASSERT_EQ(labels.size(), 1U);
    EXPECT_EQ(profile->strings[labels[0].key], "process");
    by_process[std::string(profile->strings[labels[0].str])] += profile->ValuesOf(i)[0] / kPeriod;
  }
  EXPECT_EQ(by_process, (std::map<std::string, std::int64_t>{{"app", 9}, {"helper", 2}}));
}

// The page holds the graph, with the process as its first frame, and the pprof.
TEST(OutputTest, Html) {
  const std::string pprof = Recorded();
  const std::string page = Rendered(OutputFormat::kHtml, pprof);
  constexpr std::string_view kPlace = R"(<script id="profile" type="application/json">)";
  const std::size_t start = page.find(kPlace) + kPlace.size();
  const auto report =
      nlohmann::json::parse(page.substr(start, page.find("</script>", start) - start));
  EXPECT_EQ(report["title"], kTitle);
  // total; app, helper; main under each; hot(int; char) and the unnamed; inner.
  EXPECT_EQ(report["flamebearer"]["levels"].dump(),
            "[[0,110000000,0,0],[0,90000000,0,1,0,20000000,0,2],[0,90000000,0,3,0,20000000,0,3],"
            "[0,70000000,0,4,0,20000000,20000000,5,0,10000000,0,4,0,10000000,10000000,5],"
            "[0,70000000,70000000,6,20000000,10000000,10000000,6]]");
  EXPECT_EQ(
      report["flamebearer"]["names"].dump(),
      R"x(["total","app (process)","helper (process)","main","hot(int; char)","libc.so.6 0x2a1f","inner"])x");
  std::string gzip;
  ASSERT_TRUE(absl::Base64Unescape(report["pprof"].get<std::string>(), &gzip));
  EXPECT_EQ(*pprof::Gunzip(gzip, 1 << 20), pprof);
}

// What is no pprof, or has other types, is refused and changes nothing.
TEST(OutputTest, BadProfiles) {
  Recording recording;
  EXPECT_FALSE(recording.Add(Message("app", "\x1f\x8bnot gzip", 1)).ok());
  EXPECT_FALSE(recording.Add(profile::v1::Profile()).ok());
  EXPECT_EQ(recording.samples(), 0U);
  EXPECT_EQ(recording.Finish(absl::UnixEpoch(), absl::Seconds(1)), "");
}

TEST(OutputTest, FormatByEnding) {
  EXPECT_EQ(*FormatOf("x.html"), OutputFormat::kHtml);
  EXPECT_EQ(*FormatOf("a/b.pb.gz"), OutputFormat::kPprof);
  EXPECT_EQ(*FormatOf("x.folded"), OutputFormat::kFolded);
  EXPECT_EQ(*FormatOf("-"), OutputFormat::kFolded);
  EXPECT_EQ(*FormatOf("x.speedscope.json"), OutputFormat::kSpeedscope);
  EXPECT_THAT(FormatOf("x.json").status().ToString(), HasSubstr(".speedscope.json"));
}

}  // namespace
}  // namespace stoker::cli
