#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stoker::pprof {

// A pprof profile (google/pprof's profile.proto) in flat arrays: ids are resolved to indices, lists
// are ranges of pools. Made by Read; strings point into `bytes`.
struct Profile {
  // The index of what the profile refers to but does not hold.
  static constexpr std::uint32_t kMissing = UINT32_MAX;

  struct ValueType {
    std::uint32_t type = 0;
    std::uint32_t unit = 0;
    bool operator==(const ValueType&) const = default;
  };
  struct Range {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };
  struct Label {
    std::uint32_t key = 0;
    // 0 for a numeric label.
    std::uint32_t str = 0;
    std::int64_t num = 0;
    std::uint32_t num_unit = 0;
  };
  struct Sample {
    // Of `stacks`, the leaf first.
    Range stack;
    // Of `labels`.
    Range labels;
  };
  struct Mapping {
    std::uint64_t start = 0;
    std::uint64_t limit = 0;
    std::uint64_t offset = 0;
    std::uint32_t filename = 0;
    std::uint32_t build_id = 0;
    bool has_functions = false;
    bool has_filenames = false;
    bool has_line_numbers = false;
    bool has_inline_frames = false;
  };
  struct Line {
    // Index of `functions`, or kMissing.
    std::uint32_t function = kMissing;
    std::int64_t line = 0;
  };
  struct Location {
    // Index of `mappings`, or kMissing where there is none.
    std::uint32_t mapping = kMissing;
    std::uint64_t address = 0;
    // Of `lines`, the innermost inlined function first. Empty: not named yet.
    Range lines;
    bool is_folded = false;
  };
  struct Function {
    std::uint32_t name = 0;
    std::uint32_t system_name = 0;
    std::uint32_t filename = 0;
    std::int64_t start_line = 0;
  };

  std::vector<ValueType> sample_types;
  std::vector<Sample> samples;
  // sample_types.size() values for each sample, in order.
  std::vector<std::int64_t> values;
  // Indices of `locations`, or kMissing.
  std::vector<std::uint32_t> stacks;
  std::vector<Label> labels;
  std::vector<Mapping> mappings;
  std::vector<Location> locations;
  std::vector<Line> lines;
  std::vector<Function> functions;
  std::vector<std::string_view> strings;
  std::vector<std::uint32_t> comments;

  ValueType period_type;
  bool has_period_type = false;
  std::int64_t period = 0;
  std::int64_t time_nanos = 0;
  std::int64_t duration_nanos = 0;
  std::uint32_t default_sample_type = 0;
  std::uint32_t drop_frames = 0;
  std::uint32_t keep_frames = 0;

  // The inflated message. On the heap, so that a moved profile keeps its strings.
  std::unique_ptr<const std::string> bytes;

  [[nodiscard]] std::span<const std::int64_t> ValuesOf(std::size_t sample) const {
    return {values.data() + sample * sample_types.size(), sample_types.size()};
  }
  [[nodiscard]] std::span<const std::uint32_t> StackOf(const Sample& sample) const {
    return {stacks.data() + sample.stack.first, sample.stack.count};
  }
  [[nodiscard]] std::span<const Label> LabelsOf(const Sample& sample) const {
    return {labels.data() + sample.labels.first, sample.labels.count};
  }
  [[nodiscard]] std::span<const Line> LinesOf(const Location& location) const {
    return {lines.data() + location.lines.first, location.lines.count};
  }
};

}  // namespace stoker::pprof
