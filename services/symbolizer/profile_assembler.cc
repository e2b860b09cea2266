#include "services/symbolizer/profile_assembler.h"

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <xxhash.h>

#include "services/common/model/labels.h"
#include "services/common/pprof/profile_builder.h"
#include "services/common/wire/labels.h"

namespace stoker::symbolizer {
namespace {

using pprof::ProfileBuilder;
using sample::v1::Stack;
using wire::StackDictionary;

// What pyroscope.ebpf's profiles are called when the target does not say, as Alloy v1.18 does:
// those of CPU time process_cpu, others like their type.
std::string_view DefaultName(const sample::v1::Hello& hello) {
  if (hello.sample_type().type() == "cpu") return "process_cpu";
  return hello.sample_type().type();
}

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    fmt::format_to(std::back_inserter(text), "{:02x}", static_cast<unsigned char>(byte));
  }
  return text;
}

std::uint64_t Value(const wire::DecodedBatch::Sample& sample, std::int64_t period) {
  if (sample.value) return *sample.value;
  std::uint64_t value = 0;
  const bool overflow = __builtin_mul_overflow(sample.count, period, &value);
  return overflow ? std::numeric_limits<std::uint64_t>::max() : value;
}

std::uint64_t Sum(std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<std::uint64_t>::max() : sum;
}

// The samples of one label set.
struct Group {
  struct Sample {
    std::uint32_t part;
    std::uint32_t stack;
    // Of the part.
    std::uint32_t labels;
    std::uint64_t count;
    std::uint64_t value;
    auto operator<=>(const Sample&) const = default;
  };
  std::vector<Sample> samples;
  // By target id.
  std::map<std::string, std::uint64_t> targets;
  std::uint64_t sample_count = 0;
};

std::map<model::Labels, Group> GroupByLabels(const sample::v1::Hello& hello,
                                             const IntervalSamples& interval) {
  std::map<model::Labels, Group> groups;
  for (std::uint32_t part = 0; part < interval.parts.size(); ++part) {
    const IntervalPart& from = interval.parts[part];
    std::vector<Group*> group_of;
    for (const auto& series : from.series) {
      model::Labels labels = series.labels;
      if (!labels.Has("__name__")) labels.Set("__name__", DefaultName(hello));
      group_of.push_back(&groups[std::move(labels)]);
    }
    for (const auto& sample : from.samples) {
      if (sample.count == 0) continue;
      Group& group = *group_of[sample.series];
      group.samples.push_back(
          {part, sample.stack, sample.labels, sample.count, Value(sample, hello.period())});
      group.targets[from.series[sample.series].target_id] += sample.count;
      group.sample_count += sample.count;
    }
  }
  std::erase_if(groups, [](const auto& entry) { return entry.second.samples.empty(); });
  return groups;
}

// Sums samples of equal stacks and labels, which the batches of an interval may repeat.
void MergeEqualStacks(std::vector<Group::Sample>& samples) {
  std::sort(samples.begin(), samples.end());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Group::Sample sample = samples[i];
    if (kept > 0 && samples[kept - 1].part == sample.part &&
        samples[kept - 1].stack == sample.stack && samples[kept - 1].labels == sample.labels) {
      samples[kept - 1].count += sample.count;
      samples[kept - 1].value = Sum(samples[kept - 1].value, sample.value);
    } else {
      samples[kept++] = sample;
    }
  }
  samples.resize(kept);
}

// Locations, functions and mappings of the frames of one dictionary: numbered once for each
// profile. A slot counts when its epoch is that of the profile, so that nothing is cleared between
// profiles.
class LocationCache {
 public:
  explicit LocationCache(FrameNames& names)
      : names_(names),
        slots_(names.dictionary().frames.size()),
        mappings_(2 * names.dictionary().mappings.size()) {}

  struct Slot {
    std::uint32_t epoch = 0;
    Naming naming = Naming::kNoTable;
    std::uint64_t id = 0;
  };

  const Slot& Location(std::uint32_t frame, std::uint32_t epoch, ProfileBuilder& builder) {
    Slot& slot = slots_[frame];
    if (slot.epoch != epoch) slot = Add(frame, epoch, builder);
    return slot;
  }

  [[nodiscard]] const StackDictionary& dictionary() const { return names_.dictionary(); }

 private:
  Slot Add(std::uint32_t number, std::uint32_t epoch, ProfileBuilder& builder) {
    const StackDictionary::Frame& frame = dictionary().frames[number];
    const FrameNames::Resolved resolved = names_.Resolve(number);
    Slot slot = {.epoch = epoch, .naming = resolved.naming};
    if (resolved.naming == Naming::kNamedByNode) {
      slot.id = AddNodeNamed(frame, epoch, builder);
      return slot;
    }
    const bool named = resolved.naming == Naming::kNamed;
    lines_.clear();
    Names has;
    for (const FrameNames::Line& line : names_.lines(resolved)) {
      lines_.push_back({.function_id = Function(line.function, epoch, builder), .line = line.line});
      has.lines |= line.line != 0;
      has.files |= names_.function(line.function).path != 0;
    }
    has.functions = named;
    has.inlined = lines_.size() > 1;
    const std::uint64_t mapping = Mapping(frame.mapping, has, epoch, builder);
    slot.id = builder.AddLocation(mapping, FrameNames::LookUpAddress(frame), lines_);
    return slot;
  }

  std::uint64_t AddNodeNamed(const StackDictionary::Frame& frame, std::uint32_t epoch,
                             ProfileBuilder& builder) {
    const StackDictionary& all = dictionary();
    const std::uint64_t function = builder.AddFunction(
        {.name = all.strings[frame.function], .filename = all.strings[frame.file]});
    const std::uint64_t mapping = Mapping(frame.mapping, {.functions = true}, epoch, builder);
    return builder.AddLocation(mapping, frame.address,
                               {{.function_id = function, .line = frame.line}});
  }

  std::uint64_t Function(std::uint32_t index, std::uint32_t epoch, ProfileBuilder& builder) {
    if (index >= functions_.size()) functions_.resize(index + 1);
    Number& number = functions_[index];
    if (number.epoch != epoch) {
      const FrameNames::Function& function = names_.function(index);
      const FrameNames::Name& name = names_.name(function.name);
      number = {epoch, builder.AddFunction({.name = name.shown,
                                            .system_name = name.mangled,
                                            .filename = names_.path(function.path),
                                            .start_line = function.start_line})};
    }
    return number.id;
  }

  // What the frames of a mapping have.
  struct Names {
    bool functions = false;
    bool files = false;
    bool lines = false;
    bool inlined = false;
  };

  // Those of frames with a name and of frames without are two mappings: has_functions differs. The
  // first says of files and lines what the frame says that brings it.
  std::uint64_t Mapping(std::uint32_t index, const Names& has, std::uint32_t epoch,
                        ProfileBuilder& builder) {
    if (index == 0) return 0;
    Number& number = mappings_[2 * index + (has.functions ? 1 : 0)];
    if (number.epoch != epoch) {
      const StackDictionary::Mapping& mapping = dictionary().mappings[index];
      const std::string build_id = Hex(mapping.binary.build_id());
      number = {epoch, builder.AddMapping({.filename = mapping.path,
                                           .build_id = build_id,
                                           .has_functions = has.functions,
                                           .has_filenames = has.files,
                                           .has_line_numbers = has.lines,
                                           .has_inline_frames = has.inlined})};
    }
    return number.id;
  }

  struct Number {
    std::uint32_t epoch = 0;
    std::uint64_t id = 0;
  };

  FrameNames& names_;
  std::vector<Slot> slots_;
  std::vector<Number> mappings_;
  // By FrameNames' index.
  std::vector<Number> functions_;
  // Of the location that is added.
  std::vector<ProfileBuilder::Line> lines_;
};

// Writes the profiles of one interval, one after the other.
class Assembler {
 public:
  Assembler(const sample::v1::Hello& hello, const IntervalSamples& interval, AssemblyCounts& counts)
      : hello_(hello), interval_(interval), counts_(counts) {
    std::unordered_map<const FrameNames*, std::size_t> known;
    for (const IntervalPart& part : interval.parts) {
      const auto [entry, is_new] = known.try_emplace(part.names.get(), caches_.size());
      if (is_new) caches_.emplace_back(*part.names);
      cache_of_part_.push_back(entry->second);
    }
  }

  AssembledProfile Assemble(const model::Labels& labels, Group group) {
    AssembledProfile assembled;
    for (auto& [target_id, samples] : group.targets) {
      assembled.targets.push_back({target_id, std::string(labels.Get("service_name")), samples});
    }
    profile::v1::Profile& profile = assembled.profile;
    profile.set_id(Id(labels));
    *profile.mutable_receivers() = hello_.receivers();
    wire::ToProto(labels, profile.mutable_labels());
    profile.set_tenant(hello_.tenant());
    profile.set_start_ns(interval_.start_ns);
    profile.set_duration_ns(interval_.end_ns - interval_.start_ns);
    profile.set_producer(hello_.component_id());
    profile.set_samples(group.sample_count);
    profile.set_pprof(Pprof(std::move(group.samples)));
    return assembled;
  }

 private:
  // See Profile.id.
  [[nodiscard]] std::string Id(const model::Labels& labels) const {
    const std::string parts[] = {hello_.node_id(),
                                 hello_.component_id(),
                                 labels.ToString(),
                                 hello_.tenant(),
                                 hello_.sample_type().type(),
                                 std::to_string(interval_.start_ns),
                                 std::to_string(interval_.first_sequence),
                                 std::to_string(interval_.last_sequence)};
    std::string bytes;
    for (const std::string& part : parts) {
      fmt::format_to(std::back_inserter(bytes), "{}:{}", part.size(), part);
    }
    XXH128_canonical_t id;
    XXH128_canonicalFromHash(&id, XXH3_128bits(bytes.data(), bytes.size()));
    return {reinterpret_cast<const char*>(id.digest), sizeof id.digest};
  }

  std::string Pprof(std::vector<Group::Sample> samples) {
    ++epoch_;
    ProfileBuilder builder;
    builder.AddSampleType(hello_.sample_type().type(), hello_.sample_type().unit());
    builder.SetPeriod(hello_.period_type().type(), hello_.period_type().unit(), hello_.period());
    builder.SetTime(interval_.start_ns, interval_.end_ns - interval_.start_ns);
    MergeEqualStacks(samples);
    for (const Group::Sample& sample : samples) AddSample(sample, builder);
    return std::move(builder).FinishGzip();
  }

  void AddSample(const Group::Sample& sample, ProfileBuilder& builder) {
    LocationCache& cache = caches_[cache_of_part_[sample.part]];
    locations_.clear();
    for (const std::uint32_t frame : cache.dictionary().StackFrames(sample.stack)) {
      const LocationCache::Slot& slot = cache.Location(frame, epoch_, builder);
      ++counts_.frames[static_cast<std::size_t>(slot.naming)];
      locations_.push_back(slot.id);
    }
    const Stack::StopReason reason = cache.dictionary().stop_reasons[sample.stack];
    counts_.stopped_samples[reason] += sample.count;
    if (const std::string_view word = StopReasonWord(reason); !word.empty()) {
      const std::uint64_t function =
          builder.AddFunction({.name = fmt::format("[unwind: {}]", word)});
      const int after = cache.dictionary().ends_with_thread[sample.stack] ? 1 : 0;
      locations_.insert(locations_.end() - after,
                        builder.AddLocation(0, 0, {{.function_id = function}}));
    }
    labels_.clear();
    for (const model::LabelView label : interval_.parts[sample.part].label_sets[sample.labels]) {
      labels_.push_back({.key = label.name, .str = label.value});
    }
    constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
    const auto value = static_cast<std::int64_t>(std::min(sample.value, kMax));
    builder.AddSample(locations_, std::span(&value, 1), labels_);
  }

  const sample::v1::Hello& hello_;
  const IntervalSamples& interval_;
  AssemblyCounts& counts_;
  std::vector<LocationCache> caches_;
  std::vector<std::size_t> cache_of_part_;
  // Of the sample that is added.
  std::vector<std::uint64_t> locations_;
  std::vector<ProfileBuilder::Label> labels_;
  std::uint32_t epoch_ = 0;
};

}  // namespace

std::vector<AssembledProfile> AssembleProfiles(const sample::v1::Hello& hello,
                                               const IntervalSamples& interval,
                                               AssemblyCounts& counts) {
  Assembler assembler(hello, interval, counts);
  std::vector<AssembledProfile> profiles;
  for (auto& [labels, group] : GroupByLabels(hello, interval)) {
    profiles.push_back(assembler.Assemble(labels, std::move(group)));
  }
  return profiles;
}

std::string_view StopReasonWord(Stack::StopReason reason) {
  switch (reason) {
    case Stack::STOP_REASON_FRAME_LIMIT:
      return "frame_limit";
    case Stack::STOP_REASON_NO_MAPPING:
      return "no_mapping";
    case Stack::STOP_REASON_TABLE_ABSENT:
      return "table_absent";
    case Stack::STOP_REASON_NO_RULE:
      return "no_rule";
    case Stack::STOP_REASON_UNSUPPORTED_RULE:
      return "unsupported_rule";
    case Stack::STOP_REASON_READ_FAILED:
      return "read_failed";
    case Stack::STOP_REASON_NO_PROGRESS:
      return "no_progress";
    case Stack::STOP_REASON_INTERPRETER_DATA:
      return "interpreter_data";
    case Stack::STOP_REASON_PROGRAM_LIMIT:
      return "program_limit";
    case Stack::STOP_REASON_COMPAT_TASK:
      return "compat_task";
    default:
      // Complete, or the end of frame pointers, which may well be the thread's entry.
      return {};
  }
}

}  // namespace stoker::symbolizer
