#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/google/v1/profile.pb.h"
#include "services/common/base/status.h"
#include "services/common/pprof/gzip.h"
#include "services/common/pprof/merge.h"
#include "services/common/pprof/profile_builder.h"
#include "services/common/pprof/reader.h"
#include "services/common/pprof/split.h"

namespace stoker::pprof {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// main -> work (with hot inlined): value `work`; main -> 0x1234 of libc, unnamed: value `libc`.
std::string SmallProfile(std::int64_t work, std::int64_t libc, std::int64_t time = 1'000) {
  ProfileBuilder builder;
  builder.AddSampleType("cpu", "nanoseconds");
  builder.SetPeriod("cpu", "nanoseconds", 10'309'278);
  builder.SetTime(time, 15'000);
  const std::uint64_t app = builder.AddMapping(
      {.filename = "/bin/app", .build_id = "abcd", .has_functions = true, .has_filenames = true});
  const std::uint64_t lib = builder.AddMapping({.filename = "/lib/libc.so.6", .build_id = "ef01"});
  const std::uint64_t main = builder.AddFunction({.name = "main", .filename = "a.cc"});
  const std::uint64_t in_work = builder.AddFunction({.name = "work", .filename = "a.cc"});
  const std::uint64_t hot =
      builder.AddFunction({.name = "hot()", .system_name = "_Z3hotv", .filename = "a.cc"});
  const std::uint64_t at_main = builder.AddLocation(app, 0x10, {{main, 7}});
  const std::uint64_t at_work = builder.AddLocation(app, 0x20, {{hot, 3}, {in_work, 5}});
  const std::uint64_t at_libc = builder.AddLocation(lib, 0x1234, {});
  const std::vector<std::uint64_t> stack1 = {at_work, at_main};
  const std::vector<std::uint64_t> stack2 = {at_libc, at_main};
  const std::vector<ProfileBuilder::Label> labels = {{.key = "thread", .str = "io"}};
  builder.AddSample(stack1, std::vector<std::int64_t>{work});
  builder.AddSample(stack2, std::vector<std::int64_t>{libc}, labels);
  return std::move(builder).Finish();
}

google::v1::Profile Parse(const std::string& bytes) {
  google::v1::Profile profile;
  EXPECT_TRUE(profile.ParseFromString(bytes));
  return profile;
}

std::string MessageOf(const absl::StatusOr<Profile>& profile) {
  return profile.ok() ? "ok" : std::string(Message(profile.status()));
}

// What the builder writes is a pprof to protobuf's own parser, with ids dense and strings once.
TEST(ProfileBuilderTest, IsPprof) {
  const google::v1::Profile profile = Parse(SmallProfile(70, 30));
  EXPECT_EQ(profile.string_table(0), "");
  EXPECT_EQ(profile.mapping_size(), 2);
  EXPECT_TRUE(profile.mapping(0).has_functions());
  EXPECT_FALSE(profile.mapping(1).has_functions());
  EXPECT_EQ(profile.string_table(static_cast<int>(profile.mapping(1).build_id())), "ef01");
  ASSERT_EQ(profile.location_size(), 3);
  EXPECT_EQ(profile.location(1).line_size(), 2);
  EXPECT_EQ(profile.location(1).line(0).function_id(), 3);
  EXPECT_EQ(profile.location(2).address(), 0x1234);
  EXPECT_EQ(profile.function(2).id(), 3);
  EXPECT_EQ(profile.string_table(static_cast<int>(profile.function(2).system_name())), "_Z3hotv");
  ASSERT_EQ(profile.sample_size(), 2);
  EXPECT_THAT(profile.sample(0).location_id(), ElementsAre(2, 1));
  EXPECT_THAT(profile.sample(0).value(), ElementsAre(70));
  EXPECT_EQ(profile.sample(1).label_size(), 1);
  EXPECT_EQ(profile.time_nanos(), 1'000);
  EXPECT_EQ(profile.period(), 10'309'278);
}

// Equal things get one id.
TEST(ProfileBuilderTest, Interns) {
  ProfileBuilder builder;
  const std::uint64_t f = builder.AddFunction({.name = "f"});
  EXPECT_EQ(builder.AddFunction({.name = "f"}), f);
  EXPECT_NE(builder.AddFunction({.name = "f", .start_line = 2}), f);
  const std::uint64_t location = builder.AddLocation(0, 1, {{f, 2}});
  EXPECT_EQ(builder.AddLocation(0, 1, {{f, 2}}), location);
  EXPECT_NE(builder.AddLocation(0, 1, {{f, 3}}), location);
  EXPECT_NE(builder.AddLocation(0, 1, {}), location);
}

// The reader gives back what the builder was given, from bare and gzip input.
TEST(ReaderTest, RoundTrip) {
  const std::string bare = SmallProfile(70, 30);
  for (const std::string& bytes : {bare, Gzip(bare)}) {
    const auto profile = Read(bytes);
    ASSERT_TRUE(profile.ok()) << Message(profile.status());
    ASSERT_EQ(profile->samples.size(), 2);
    EXPECT_THAT(profile->ValuesOf(1), ElementsAre(30));
    const Profile::Location& work = profile->locations[profile->StackOf(profile->samples[0])[0]];
    ASSERT_EQ(work.lines.count, 2);
    const Profile::Line inner = profile->LinesOf(work)[0];
    EXPECT_EQ(profile->strings[profile->functions[inner.function].name], "hot()");
    EXPECT_EQ(inner.line, 3);
    const Profile::Label label = profile->LabelsOf(profile->samples[1])[0];
    EXPECT_EQ(profile->strings[label.key], "thread");
    EXPECT_EQ(profile->strings[label.str], "io");
  }
}

// Ids need not be dense, and scalars need not be packed.
TEST(ReaderTest, SparseIdsUnpacked) {
  google::v1::Profile message = Parse(SmallProfile(1, 1));
  for (auto& function : *message.mutable_function()) function.set_id(function.id() << 40);
  for (auto& location : *message.mutable_location()) {
    location.set_id(location.id() * 1'000'003);
    for (auto& line : *location.mutable_line()) line.set_function_id(line.function_id() << 40);
  }
  message.clear_sample();
  std::string bytes = message.SerializeAsString();
  // sample { location_id: 2000006 value: 5 }, both unpacked.
  bytes += std::string("\x12\x06\x08\x86\x89\x7a\x10\x05", 8);
  const auto profile = Read(bytes);
  ASSERT_TRUE(profile.ok()) << Message(profile.status());
  const auto stack = profile->StackOf(profile->samples[0]);
  ASSERT_EQ(stack.size(), 1);
  EXPECT_EQ(stack[0], 1);
  EXPECT_THAT(profile->ValuesOf(0), ElementsAre(5));
}

// Every malformed profile is refused with Pyroscope's phrase.
TEST(ReaderTest, Phrases) {
  using Message = google::v1::Profile;
  const std::vector<std::pair<std::string, void (*)(Message&)>> cases = {
      {"empty profile", [](Message& m) { m.clear_sample_type(); }},
      {"string 0 should be empty string", [](Message& m) { m.set_string_table(0, "x"); }},
      {"string 0 should be empty string", [](Message& m) { m.clear_string_table(); }},
      {"sample type contains -",
       [](Message& m) {
         m.add_string_table("a-b");
         m.mutable_sample_type(0)->set_type(m.string_table_size() - 1);
       }},
      {"sample type type string index out of range",
       [](Message& m) { m.mutable_sample_type(0)->set_type(99); }},
      {"sample type unit string index out of range",
       [](Message& m) { m.mutable_sample_type(0)->set_unit(-1); }},
      {"period type type string index out of range",
       [](Message& m) { m.mutable_period_type()->set_type(99); }},
      {"period type unit string index out of range",
       [](Message& m) { m.mutable_period_type()->set_unit(99); }},
      {"sample label string index out of range",
       [](Message& m) { m.mutable_sample(1)->mutable_label(0)->set_str(99); }},
      {"function name string index out of range",
       [](Message& m) { m.mutable_function(0)->set_name(99); }},
      {"function system name index string out of range",
       [](Message& m) { m.mutable_function(0)->set_system_name(99); }},
      {"function file name string index out of range",
       [](Message& m) { m.mutable_function(0)->set_filename(99); }},
      {"mapping file name string index out of range",
       [](Message& m) { m.mutable_mapping(0)->set_filename(99); }},
      {"mapping build id string index out of range",
       [](Message& m) { m.mutable_mapping(0)->set_build_id(99); }},
      {"sample value length mismatch", [](Message& m) { m.mutable_sample(0)->add_value(1); }},
      {"sample value length mismatch", [](Message& m) { m.mutable_sample(0)->clear_value(); }},
      {"location id is 0", [](Message& m) { m.mutable_location(0)->set_id(0); }},
      {"function id is 0", [](Message& m) { m.mutable_function(0)->set_id(0); }},
  };
  for (const auto& [phrase, damage] : cases) {
    Message message = Parse(SmallProfile(1, 1));
    damage(message);
    const auto profile = Read(message.SerializeAsString());
    EXPECT_EQ(MessageOf(profile), phrase);
    EXPECT_EQ(profile.status().code(), absl::StatusCode::kInvalidArgument);
  }
}

// Text that is not UTF-8 is refused with its bytes.
TEST(ReaderTest, InvalidUtf8) {
  ProfileBuilder builder;
  builder.AddSampleType("cpu", "\xc3\x28");
  EXPECT_EQ(MessageOf(Read(std::move(builder).Finish())), "invalid utf8 string hex: c328");
}

// At the limits stacks lose their leaf side and strings their head, as Pyroscope has it.
TEST(ReaderTest, Truncates) {
  const auto profile = Read(SmallProfile(1, 1), {.max_depth = 1, .max_symbol_bytes = 3});
  ASSERT_TRUE(profile.ok());
  const auto stack = profile->StackOf(profile->samples[0]);
  ASSERT_EQ(stack.size(), 1);
  const Profile::Line line = profile->LinesOf(profile->locations[stack[0]])[0];
  EXPECT_EQ(profile->strings[profile->functions[line.function].name], "ain");
}

// Past a limit nothing is read, however small the input: a bomb of gzip, many samples, many
// strings.
TEST(ReaderTest, Limits) {
  const std::string bomb = Gzip(std::string(64 << 20, '\0'), 9);
  EXPECT_LT(bomb.size(), 100'000);
  for (const auto& profile :
       {Read(bomb, {.max_bytes = 1 << 20}), Read(SmallProfile(1, 1), {.max_samples = 1}),
        Read(SmallProfile(1, 1), {.max_entries = 2}), Read(SmallProfile(1, 1), {.max_bytes = 10}),
        Read(SmallProfile(1, 1), {.max_stack_frames = 3})}) {
    EXPECT_EQ(profile.status().code(), absl::StatusCode::kResourceExhausted) << MessageOf(profile);
  }
}

// Whatever is cut off the end, the reader says so or reads what is whole; it never crashes.
TEST(ReaderTest, EveryPrefix) {
  const std::string whole = SmallProfile(1, 1);
  int refused = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    refused += Read(whole.substr(0, size)).ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 50);
  EXPECT_THAT(MessageOf(Read(Gzip(whole).substr(0, 40))), HasSubstr("gzip: damaged"));
}

// Two messages one after the other are not one profile.
TEST(ReaderTest, Concatenated) {
  EXPECT_EQ(MessageOf(Read(SmallProfile(1, 1) + SmallProfile(2, 2))),
            "concatenated profiles detected");
}

// Equal stacks of several profiles add up, and a profile with other types is refused whole.
TEST(MergeTest, AddsUp) {
  Merge merge;
  for (const std::int64_t n : {1, 2, 3}) {
    ASSERT_TRUE(merge.Add(*Read(SmallProfile(n * 10, 0, 5'000 - n))).ok());
  }
  ProfileBuilder other;
  other.AddSampleType("alloc_space", "bytes");
  EXPECT_FALSE(merge.Add(*Read(std::move(other).Finish())).ok());
  const google::v1::Profile sum = Parse(std::move(merge).Finish());
  ASSERT_EQ(sum.sample_size(), 1);
  EXPECT_THAT(sum.sample(0).value(), ElementsAre(60));
  EXPECT_EQ(sum.time_nanos(), 4'997);
  EXPECT_EQ(sum.duration_nanos(), 45'000);
  EXPECT_EQ(sum.location_size(), 3);
}

// The parts of a split fit the limits and merge back to the whole.
TEST(SplitTest, PartsFitAndMergeBack) {
  ProfileBuilder builder;
  builder.AddSampleType("cpu", "nanoseconds");
  builder.SetPeriod("cpu", "nanoseconds", 1);
  builder.SetTime(1'000, 0);
  for (int i = 0; i < 1'000; ++i) {
    const std::string name = "function_" + std::to_string(i);
    const std::uint64_t function = builder.AddFunction({.name = name});
    const std::vector<std::uint64_t> stack = {builder.AddLocation(0, 0, {{function, 1}})};
    builder.AddSample(stack, std::vector<std::int64_t>{i + 1});
  }
  const auto whole = Read(std::move(builder).Finish());
  ASSERT_TRUE(whole.ok());
  const SplitLimits limits = {.max_samples = 400, .max_bytes = 8'000};
  ASSERT_TRUE(NeedsSplit(*whole, limits));
  Merge merge;
  std::size_t samples = 0;
  for (const std::string& part : Split(*whole, limits)) {
    EXPECT_LE(part.size(), limits.max_bytes);
    const auto profile = Read(part);
    ASSERT_TRUE(profile.ok());
    EXPECT_LE(profile->samples.size(), limits.max_samples);
    samples += profile->samples.size();
    ASSERT_TRUE(merge.Add(*profile).ok());
  }
  EXPECT_EQ(samples, 1'000);
  const auto merged = Read(std::move(merge).Finish());
  EXPECT_EQ(merged->values, whole->values);
}

}  // namespace
}  // namespace stoker::pprof
