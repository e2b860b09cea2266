#include "services/common/wire/raw_stack_decoder.h"

#include <string_view>
#include <utility>

#include "services/common/base/status.h"

namespace stoker::wire {
namespace {

// `number` must be an entry of a table of `size` entries.
absl::Status CheckNumber(std::string_view field, std::uint64_t number, std::uint64_t size) {
  if (number < size) return absl::OkStatus();
  return InvalidArgument("{}: {} is not among {} entries", field, number, size);
}

absl::Status CheckLimit(std::string_view field, std::uint64_t count, std::uint64_t limit) {
  if (count <= limit) return absl::OkStatus();
  return ResourceExhausted("{}: {} where {} are allowed", field, count, limit);
}

}  // namespace

RawStackDecoder::RawStackDecoder(const Limits& limits)
    : limits_(limits), dictionary_(std::make_shared<StackDictionary>()) {}

absl::StatusOr<DecodedBatch> RawStackDecoder::Decode(const sample::v1::RawStackBatch& batch) {
  // Earlier batches keep the dictionary that they were decoded with.
  if (batch.reset()) dictionary_ = std::make_shared<StackDictionary>();
  STOKER_RETURN_IF_ERROR(AddStrings(batch));
  STOKER_RETURN_IF_ERROR(AddMappings(batch));
  STOKER_RETURN_IF_ERROR(AddFrames(batch));
  STOKER_RETURN_IF_ERROR(AddStacks(batch));

  DecodedBatch decoded = {.sequence = batch.sequence(),
                          .interval_start_ns = batch.interval_start_ns(),
                          .interval_end_ns = batch.interval_end_ns(),
                          .last_of_interval = batch.last_of_interval(),
                          .dictionary = dictionary_};
  if (decoded.interval_end_ns < decoded.interval_start_ns) {
    return InvalidArgument("interval_end_ns: {} is before interval_start_ns {}",
                           decoded.interval_end_ns, decoded.interval_start_ns);
  }
  STOKER_RETURN_IF_ERROR(DecodeSeries(batch, decoded));
  STOKER_RETURN_IF_ERROR(DecodeSamples(batch, decoded));
  for (const sample::v1::Dropped& dropped : batch.dropped()) {
    STOKER_RETURN_IF_ERROR(CheckLimit("dropped.samples", dropped.samples(), limits_.samples));
    decoded.dropped.push_back({dropped.reason(), dropped.samples()});
  }
  return decoded;
}

absl::Status RawStackDecoder::AddStrings(const sample::v1::RawStackBatch& batch) {
  StackDictionary& dictionary = *dictionary_;
  for (const std::string& text : batch.strings()) {
    dictionary.string_bytes += text.size();
    dictionary.strings.push_back(text);
  }
  STOKER_RETURN_IF_ERROR(CheckLimit("strings", dictionary.strings.size(), limits_.strings));
  return CheckLimit("bytes of strings", dictionary.string_bytes, limits_.string_bytes);
}

absl::Status RawStackDecoder::AddMappings(const sample::v1::RawStackBatch& batch) {
  StackDictionary& dictionary = *dictionary_;
  for (const sample::v1::Mapping& from : batch.mappings()) {
    const std::size_t strings = dictionary.strings.size();
    STOKER_RETURN_IF_ERROR(CheckNumber("mapping.path", from.path(), strings));
    STOKER_RETURN_IF_ERROR(
        CheckNumber("mapping.unreadable_reason", from.unreadable_reason(), strings));
    dictionary.mappings.push_back(
        {.kind = from.kind(),
         .path = dictionary.strings[from.path()],
         .has_binary = from.has_binary() && from.kind() != sample::v1::Mapping::KIND_ANONYMOUS,
         .binary = from.binary(),
         .unreadable_reason = dictionary.strings[from.unreadable_reason()]});
  }
  return CheckLimit("mappings", dictionary.mappings.size(), limits_.mappings);
}

absl::Status RawStackDecoder::AddFrames(const sample::v1::RawStackBatch& batch) {
  StackDictionary& dictionary = *dictionary_;
  const std::size_t strings = dictionary.strings.size();
  for (const sample::v1::Frame& from : batch.frames()) {
    STOKER_RETURN_IF_ERROR(
        CheckNumber("frame.mapping", from.mapping(), dictionary.mappings.size()));
    STOKER_RETURN_IF_ERROR(CheckNumber("frame.function", from.function(), strings));
    STOKER_RETURN_IF_ERROR(CheckNumber("frame.file", from.file(), strings));
    dictionary.frames.push_back({.address = from.address(),
                                 .mapping = from.mapping(),
                                 .function = from.function(),
                                 .file = from.file(),
                                 .line = from.line(),
                                 .is_return_address = from.is_return_address()});
  }
  return CheckLimit("frames", dictionary.frames.size(), limits_.frames);
}

absl::Status RawStackDecoder::AddStacks(const sample::v1::RawStackBatch& batch) {
  StackDictionary& dictionary = *dictionary_;
  for (const sample::v1::Stack& from : batch.stacks()) {
    const auto depth = static_cast<std::uint64_t>(from.frames_size());
    STOKER_RETURN_IF_ERROR(CheckLimit("frames of a stack", depth, limits_.frames_per_stack));
    for (const std::uint32_t frame : from.frames()) {
      STOKER_RETURN_IF_ERROR(CheckNumber("stack.frames", frame, dictionary.frames.size()));
      if (frame == 0) return InvalidArgument("stack.frames: 0 is no frame");
      dictionary.stack_frames.push_back(frame);
    }
    STOKER_RETURN_IF_ERROR(
        CheckLimit("frames of stacks", dictionary.stack_frames.size(), limits_.stack_frames));
    dictionary.stack_begin.push_back(static_cast<std::uint32_t>(dictionary.stack_frames.size()));
    dictionary.stop_reasons.push_back(from.stop_reason());
    dictionary.ends_with_thread.push_back(from.ends_with_thread() && depth > 0);
  }
  return CheckLimit("stacks", dictionary.stop_reasons.size(), limits_.stacks);
}

absl::StatusOr<model::Labels> RawStackDecoder::DecodeLabels(
    std::string_view field, const google::protobuf::RepeatedField<std::uint32_t>& numbers) const {
  const std::vector<std::string>& strings = dictionary_->strings;
  if (numbers.size() % 2 != 0) {
    return InvalidArgument("{}: {} numbers are no pairs", field, numbers.size());
  }
  std::vector<model::Label> labels;
  for (int i = 0; i < numbers.size(); i += 2) {
    STOKER_RETURN_IF_ERROR(CheckNumber(field, numbers[i], strings.size()));
    STOKER_RETURN_IF_ERROR(CheckNumber(field, numbers[i + 1], strings.size()));
    if (strings[numbers[i]].empty()) return InvalidArgument("{}: a name is empty", field);
    labels.push_back({strings[numbers[i]], strings[numbers[i + 1]]});
  }
  return model::Labels(std::move(labels));
}

absl::Status RawStackDecoder::DecodeSeries(const sample::v1::RawStackBatch& batch,
                                           DecodedBatch& decoded) const {
  const std::vector<std::string>& strings = dictionary_->strings;
  for (const sample::v1::Series& from : batch.series()) {
    STOKER_RETURN_IF_ERROR(CheckNumber("series.target_id", from.target_id(), strings.size()));
    STOKER_ASSIGN_OR_RETURN(model::Labels labels, DecodeLabels("series.labels", from.labels()));
    decoded.series.push_back({std::move(labels), strings[from.target_id()]});
  }
  for (const sample::v1::SampleLabels& from : batch.label_sets()) {
    STOKER_ASSIGN_OR_RETURN(model::Labels labels, DecodeLabels("label_sets.labels", from.labels()));
    decoded.label_sets.push_back(std::move(labels));
  }
  return absl::OkStatus();
}

absl::Status RawStackDecoder::DecodeSamples(const sample::v1::RawStackBatch& batch,
                                            DecodedBatch& decoded) const {
  const int count = batch.sample_series_size();
  if (batch.sample_stack_size() != count || batch.sample_count_size() != count) {
    return InvalidArgument("samples: {} series, {} stacks and {} counts are not parallel", count,
                           batch.sample_stack_size(), batch.sample_count_size());
  }
  const int values = batch.sample_value_size();
  const int labels = batch.sample_labels_size();
  if ((values != 0 && values != count) || (labels != 0 && labels != count)) {
    return InvalidArgument("samples: {} values and {} labels are not parallel to {} counts", values,
                           labels, count);
  }
  decoded.samples.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    DecodedBatch::Sample sample = {
        .series = batch.sample_series(i),
        .stack = batch.sample_stack(i),
        .count = batch.sample_count(i),
        .value = std::nullopt,
        .labels = labels == 0 ? 0 : batch.sample_labels(i),
    };
    if (values != 0) sample.value = batch.sample_value(i);
    STOKER_RETURN_IF_ERROR(CheckNumber("sample_series", sample.series, decoded.series.size()));
    STOKER_RETURN_IF_ERROR(
        CheckNumber("sample_stack", sample.stack, dictionary_->stop_reasons.size()));
    STOKER_RETURN_IF_ERROR(CheckNumber("sample_labels", sample.labels, decoded.label_sets.size()));
    STOKER_RETURN_IF_ERROR(CheckLimit("sample_count", sample.count, limits_.samples));
    decoded.sample_count += sample.count;
    STOKER_RETURN_IF_ERROR(
        CheckLimit("sum of sample_count", decoded.sample_count, limits_.samples));
    decoded.samples.push_back(sample);
  }
  return absl::OkStatus();
}

}  // namespace stoker::wire
