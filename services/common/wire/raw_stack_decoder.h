#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "proto/sample/v1/sample.pb.h"
#include "services/common/model/labels.h"
#include "services/common/wire/stack_dictionary.h"

namespace stoker::wire {

// A batch whose numbers are known to be valid.
struct DecodedBatch {
  struct Series {
    model::Labels labels;
    std::string target_id;
  };
  struct Sample {
    // An index into `series`.
    std::uint32_t series = 0;
    // A number of `dictionary`.
    std::uint32_t stack = 0;
    std::uint64_t count = 0;
    // In the unit of Hello.sample_type; nothing: the count times Hello.period.
    std::optional<std::uint64_t> value;
    // An index into `label_sets`.
    std::uint32_t labels = 0;
  };
  struct Dropped {
    std::string reason;
    std::uint64_t samples = 0;
  };

  std::uint64_t sequence = 0;
  std::int64_t interval_start_ns = 0;
  std::int64_t interval_end_ns = 0;
  bool last_of_interval = false;
  std::shared_ptr<const StackDictionary> dictionary;
  std::vector<Series> series;
  std::vector<Sample> samples;
  // pprof labels of samples; the first set is empty.
  std::vector<model::Labels> label_sets = {{}};
  std::vector<Dropped> dropped;
  // Sum of the samples' counts.
  std::uint64_t sample_count = 0;
};

// Decodes the batches of one stream in their order, and keeps its dictionaries. Used by one thread.
class RawStackDecoder {
 public:
  // What a stream may hold between two resets, and a batch.
  struct Limits {
    std::uint64_t strings = std::uint64_t{1} << 20;
    std::uint64_t string_bytes = std::uint64_t{128} << 20;
    std::uint64_t mappings = std::uint64_t{1} << 18;
    std::uint64_t frames = std::uint64_t{1} << 22;
    std::uint64_t stacks = std::uint64_t{1} << 21;
    std::uint64_t stack_frames = std::uint64_t{1} << 25;
    // 1,024 of the user, those of the kernel, and room for what interpreters add.
    std::uint64_t frames_per_stack = 2048;
    // Of one batch: it does not wrap whatever is summed.
    std::uint64_t samples = std::uint64_t{1} << 48;
  };

  RawStackDecoder() : RawStackDecoder(Limits{}) {}
  explicit RawStackDecoder(const Limits& limits);

  // INVALID_ARGUMENT for a number without an entry, RESOURCE_EXHAUSTED past a limit, each with the
  // field's name. After an error the dictionaries are not those of the sender: the stream must end.
  absl::StatusOr<DecodedBatch> Decode(const sample::v1::RawStackBatch& batch);

  // The dictionary of the last batch.
  [[nodiscard]] std::shared_ptr<const StackDictionary> dictionary() const { return dictionary_; }

 private:
  absl::Status AddStrings(const sample::v1::RawStackBatch& batch);
  absl::Status AddMappings(const sample::v1::RawStackBatch& batch);
  absl::Status AddFrames(const sample::v1::RawStackBatch& batch);
  absl::Status AddStacks(const sample::v1::RawStackBatch& batch);
  absl::StatusOr<model::Labels> DecodeLabels(
      std::string_view field, const google::protobuf::RepeatedField<std::uint32_t>& numbers) const;
  absl::Status DecodeSeries(const sample::v1::RawStackBatch& batch, DecodedBatch& decoded) const;
  absl::Status DecodeSamples(const sample::v1::RawStackBatch& batch, DecodedBatch& decoded) const;

  const Limits limits_;
  std::shared_ptr<StackDictionary> dictionary_;
};

}  // namespace stoker::wire
