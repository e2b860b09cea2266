#include "services/common/wire/raw_stack_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/base/status.h"

namespace stoker::wire {
namespace {

using sample::v1::RawStackBatch;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Strings 1 path, 2 function, 3 label, 4 value; mapping 1; frames 1 and 2; stack 1 of both.
RawStackBatch FirstBatch() {
  RawStackBatch batch;
  batch.set_sequence(1);
  for (const char* text : {"/bin/x", "jit", "job", "a"}) batch.add_strings(text);
  auto& mapping = *batch.add_mappings();
  mapping.set_kind(sample::v1::Mapping::KIND_FILE);
  mapping.set_path(1);
  mapping.mutable_binary()->set_build_id("id");
  auto& frame = *batch.add_frames();
  frame.set_mapping(1);
  frame.set_address(0x1234);
  batch.add_frames()->set_function(2);
  auto& stack = *batch.add_stacks();
  stack.add_frames(1);
  stack.add_frames(2);
  auto& series = *batch.add_series();
  series.add_labels(3);
  series.add_labels(4);
  batch.add_sample_series(0);
  batch.add_sample_stack(1);
  batch.add_sample_count(7);
  return batch;
}

// Numbers of a later batch reach back to earlier ones; a reset empties the tables, and what was
// decoded before keeps its own.
TEST(RawStackDecoderTest, Dictionaries) {
  RawStackDecoder decoder;
  const auto first = decoder.Decode(FirstBatch());
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->sample_count, 7);
  EXPECT_EQ(first->series[0].labels.Get("job"), "a");
  EXPECT_THAT(first->dictionary->StackFrames(1), ElementsAre(1, 2));
  EXPECT_EQ(first->dictionary->mappings[1].path, "/bin/x");

  RawStackBatch second;
  second.add_stacks()->add_frames(2);
  second.add_series();
  second.add_sample_series(0);
  second.add_sample_stack(2);
  second.add_sample_count(1);
  const auto decoded = decoder.Decode(second);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_THAT(decoded->dictionary->StackFrames(2), ElementsAre(2));

  second.set_reset(true);
  EXPECT_EQ(decoder.Decode(second).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(first->dictionary->StackFrames(1), ElementsAre(1, 2));
}

// Every number that has no entry is refused with its field's name.
TEST(RawStackDecoderTest, RefusesNumbers) {
  const auto refused = [](auto change) {
    RawStackBatch batch = FirstBatch();
    change(batch);
    return std::string(Message(RawStackDecoder().Decode(batch).status()));
  };
  EXPECT_THAT(refused([](auto& b) { b.mutable_mappings(0)->set_path(5); }), HasSubstr("path"));
  EXPECT_THAT(refused([](auto& b) { b.mutable_frames(0)->set_mapping(2); }),
              HasSubstr("frame.mapping: 2 is not among 2 entries"));
  EXPECT_THAT(refused([](auto& b) { b.mutable_frames(0)->set_function(~0U); }),
              HasSubstr("frame.function"));
  EXPECT_THAT(refused([](auto& b) { b.mutable_stacks(0)->add_frames(3); }),
              HasSubstr("stack.frames"));
  EXPECT_THAT(refused([](auto& b) { b.mutable_stacks(0)->add_frames(0); }),
              HasSubstr("0 is no frame"));
  EXPECT_THAT(refused([](auto& b) { b.mutable_series(0)->add_labels(1); }), HasSubstr("pairs"));
  EXPECT_THAT(refused([](auto& b) { b.set_sample_stack(0, 2); }), HasSubstr("sample_stack"));
  EXPECT_THAT(refused([](auto& b) { b.set_sample_series(0, 1); }), HasSubstr("sample_series"));
  EXPECT_THAT(refused([](auto& b) { b.add_sample_count(1); }), HasSubstr("parallel"));
  EXPECT_THAT(refused([](auto& b) { b.set_sample_count(0, ~0ULL); }), HasSubstr("sample_count"));
  EXPECT_THAT(refused([](auto& b) { b.set_interval_end_ns(-1); }), HasSubstr("interval_end_ns"));
}

// Limits hold over all batches of a stream.
TEST(RawStackDecoderTest, Limits) {
  RawStackDecoder decoder({.strings = 6});
  EXPECT_TRUE(decoder.Decode(FirstBatch()).ok());
  RawStackBatch more;
  more.add_strings("x");
  EXPECT_TRUE(decoder.Decode(more).ok());
  EXPECT_EQ(decoder.Decode(more).status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace stoker::wire
