// Proves that a stream carries each dictionary entry once, that a reader of the stream gets what
// the self-contained batches said, and that full dictionaries start anew.
#include "services/common/wire/raw_stack_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/wire/raw_stack_decoder.h"

namespace stoker::wire {
namespace {

// A batch of one stack of two frames in one mapping, under label {service_name="x"}.
sample::v1::RawStackBatch Batch(std::uint64_t sequence, const std::string& path,
                                std::uint64_t address) {
  sample::v1::RawStackBatch batch;
  batch.set_sequence(sequence);
  batch.set_reset(true);
  for (const std::string& text : {std::string("service_name"), std::string("x"), path}) {
    batch.add_strings(text);
  }
  sample::v1::Mapping& mapping = *batch.add_mappings();
  mapping.set_kind(sample::v1::Mapping::KIND_FILE);
  mapping.set_path(3);
  mapping.mutable_binary()->set_build_id("id of " + path);
  for (const std::uint64_t at : {address, address + 1}) {
    sample::v1::Frame& frame = *batch.add_frames();
    frame.set_mapping(1);
    frame.set_address(at);
  }
  sample::v1::Stack& stack = *batch.add_stacks();
  stack.add_frames(1);
  stack.add_frames(2);
  stack.set_stop_reason(sample::v1::Stack::STOP_REASON_COMPLETE);
  sample::v1::Series& series = *batch.add_series();
  series.add_labels(1);
  series.add_labels(2);
  batch.add_sample_series(0);
  batch.add_sample_stack(1);
  batch.add_sample_count(5);
  return batch;
}

// Path and addresses of the only stack that the batch counts.
void ExpectStack(const DecodedBatch& batch, const std::string& path, std::uint64_t address) {
  ASSERT_EQ(batch.samples.size(), 1u);
  EXPECT_EQ(batch.samples[0].count, 5u);
  EXPECT_EQ(batch.series[0].labels.Get("service_name"), "x");
  const auto frames = batch.dictionary->StackFrames(batch.samples[0].stack);
  ASSERT_EQ(frames.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const StackDictionary::Frame& frame = batch.dictionary->frames[frames[i]];
    EXPECT_EQ(frame.address, address + i);
    EXPECT_EQ(batch.dictionary->mappings[frame.mapping].path, path);
  }
}

TEST(RawStackEncoder, SendsEachEntryOnce) {
  RawStackEncoder encoder;
  RawStackDecoder decoder;
  ExpectStack(*decoder.Decode(encoder.Encode(Batch(1, "/a", 16))), "/a", 16);
  const sample::v1::RawStackBatch again = encoder.Encode(Batch(2, "/a", 16));
  EXPECT_FALSE(again.reset());
  EXPECT_EQ(
      again.strings_size() + again.mappings_size() + again.frames_size() + again.stacks_size(), 0);
  ExpectStack(*decoder.Decode(again), "/a", 16);
  const sample::v1::RawStackBatch other = encoder.Encode(Batch(3, "/b", 32));
  EXPECT_EQ(other.strings_size(), 1);
  ExpectStack(*decoder.Decode(other), "/b", 32);
}

TEST(RawStackEncoder, KeepsValuesAndLabelsOfSamples) {
  RawStackEncoder encoder;
  RawStackDecoder decoder;
  ASSERT_TRUE(decoder.Decode(encoder.Encode(Batch(1, "/other", 16))).ok());
  sample::v1::RawStackBatch batch = Batch(2, "/a", 16);
  batch.add_strings("state");
  batch.add_strings("sleep");
  batch.add_label_sets()->add_labels(4);
  batch.mutable_label_sets(0)->add_labels(5);
  batch.add_sample_value(70);
  batch.add_sample_labels(1);
  const auto decoded = decoder.Decode(encoder.Encode(batch));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ExpectStack(*decoded, "/a", 16);
  EXPECT_EQ(decoded->samples[0].value, 70u);
  EXPECT_EQ(decoded->label_sets[decoded->samples[0].labels], (model::Labels{{"state", "sleep"}}));
  batch.add_sample_value(1);
  EXPECT_THAT(std::string(decoder.Decode(encoder.Encode(batch)).status().message()),
              ::testing::HasSubstr("2 values"));
  batch.mutable_sample_value()->RemoveLast();
  batch.set_sample_labels(0, 2);
  EXPECT_THAT(std::string(decoder.Decode(encoder.Encode(batch)).status().message()),
              ::testing::HasSubstr("sample_labels: 2"));
}

TEST(RawStackEncoder, StartsAnewWhenFull) {
  RawStackEncoder encoder(1);
  RawStackDecoder decoder;
  EXPECT_TRUE(encoder.Encode(Batch(1, "/a", 16)).reset());
  const sample::v1::RawStackBatch second = encoder.Encode(Batch(2, "/a", 16));
  EXPECT_TRUE(second.reset());
  ExpectStack(*decoder.Decode(second), "/a", 16);
}

}  // namespace
}  // namespace stoker::wire
