#include "services/common/wire/raw_stack_encoder.h"

#include <utility>

namespace stoker::wire {
namespace {

// The entry's number, and whether it is new.
template <typename Numbers>
std::pair<std::uint32_t, bool> Number(Numbers& numbers, const std::string& entry) {
  const auto [found, added] =
      numbers.try_emplace(entry, static_cast<std::uint32_t>(numbers.size() + 1));
  return {found->second, added};
}

}  // namespace

sample::v1::RawStackBatch RawStackEncoder::Encode(const sample::v1::RawStackBatch& batch) {
  sample::v1::RawStackBatch out;
  const std::size_t entries = strings_.size() + mappings_.size() + frames_.size() + stacks_.size();
  if (first_ || entries > max_entries_) {
    Reset();
    out.set_reset(true);
  }
  out.set_sequence(batch.sequence());
  out.set_interval_start_ns(batch.interval_start_ns());
  out.set_interval_end_ns(batch.interval_end_ns());
  out.set_last_of_interval(batch.last_of_interval());
  const Renumbering strings = Strings(batch, out);
  const Renumbering mappings = Mappings(batch, strings, out);
  const Renumbering frames = Frames(batch, strings, mappings, out);
  const Renumbering stacks = Stacks(batch, frames, out);
  for (const sample::v1::Series& series : batch.series()) {
    sample::v1::Series& renumbered = *out.add_series();
    for (const std::uint32_t label : series.labels()) renumbered.add_labels(strings[label]);
    renumbered.set_target_id(strings[series.target_id()]);
  }
  for (const sample::v1::SampleLabels& labels : batch.label_sets()) {
    sample::v1::SampleLabels& renumbered = *out.add_label_sets();
    for (const std::uint32_t label : labels.labels()) renumbered.add_labels(strings[label]);
  }
  *out.mutable_sample_series() = batch.sample_series();
  for (const std::uint32_t stack : batch.sample_stack()) out.add_sample_stack(stacks[stack]);
  *out.mutable_sample_count() = batch.sample_count();
  *out.mutable_sample_value() = batch.sample_value();
  *out.mutable_sample_labels() = batch.sample_labels();
  *out.mutable_dropped() = batch.dropped();
  return out;
}

void RawStackEncoder::Reset() {
  first_ = false;
  for (Numbers* numbers : {&strings_, &mappings_, &frames_, &stacks_}) numbers->clear();
}

RawStackEncoder::Renumbering RawStackEncoder::Strings(const sample::v1::RawStackBatch& batch,
                                                      sample::v1::RawStackBatch& out) {
  Renumbering numbers = {0};
  for (const std::string& text : batch.strings()) {
    const auto [number, added] = Number(strings_, text);
    if (added) out.add_strings(text);
    numbers.push_back(number);
  }
  return numbers;
}

RawStackEncoder::Renumbering RawStackEncoder::Mappings(const sample::v1::RawStackBatch& batch,
                                                       const Renumbering& strings,
                                                       sample::v1::RawStackBatch& out) {
  Renumbering numbers = {0};
  for (sample::v1::Mapping mapping : batch.mappings()) {
    mapping.set_path(strings[mapping.path()]);
    mapping.set_unreadable_reason(strings[mapping.unreadable_reason()]);
    const auto [number, added] = Number(mappings_, mapping.SerializeAsString());
    if (added) *out.add_mappings() = std::move(mapping);
    numbers.push_back(number);
  }
  return numbers;
}

RawStackEncoder::Renumbering RawStackEncoder::Frames(const sample::v1::RawStackBatch& batch,
                                                     const Renumbering& strings,
                                                     const Renumbering& mappings,
                                                     sample::v1::RawStackBatch& out) {
  Renumbering numbers = {0};
  for (sample::v1::Frame frame : batch.frames()) {
    frame.set_mapping(mappings[frame.mapping()]);
    frame.set_function(strings[frame.function()]);
    frame.set_file(strings[frame.file()]);
    const auto [number, added] = Number(frames_, frame.SerializeAsString());
    if (added) *out.add_frames() = std::move(frame);
    numbers.push_back(number);
  }
  return numbers;
}

RawStackEncoder::Renumbering RawStackEncoder::Stacks(const sample::v1::RawStackBatch& batch,
                                                     const Renumbering& frames,
                                                     sample::v1::RawStackBatch& out) {
  Renumbering numbers = {0};
  for (sample::v1::Stack stack : batch.stacks()) {
    for (std::uint32_t& frame : *stack.mutable_frames()) frame = frames[frame];
    const auto [number, added] = Number(stacks_, stack.SerializeAsString());
    if (added) *out.add_stacks() = std::move(stack);
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace stoker::wire
