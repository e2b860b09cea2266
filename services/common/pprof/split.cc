#include "services/common/pprof/split.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "services/common/pprof/profile_builder.h"
#include "services/common/pprof/transfer.h"

namespace stoker::pprof {
namespace {

void CopyHead(const Profile& profile, ProfileBuilder& builder) {
  const auto text = [&](std::uint32_t index) { return profile.strings[index]; };
  for (const Profile::ValueType& type : profile.sample_types) {
    builder.AddSampleType(text(type.type), text(type.unit));
  }
  if (profile.has_period_type) {
    builder.SetPeriod(text(profile.period_type.type), text(profile.period_type.unit),
                      profile.period);
  }
  builder.SetTime(profile.time_nanos, profile.duration_nanos);
  builder.SetDefaultSampleType(text(profile.default_sample_type));
  builder.SetDropFrames(text(profile.drop_frames));
  builder.SetKeepFrames(text(profile.keep_frames));
  for (const std::uint32_t comment : profile.comments) builder.AddComment(text(comment));
}

// The samples [first, end) as one message.
std::string Part(const Profile& profile, std::size_t first, std::size_t end) {
  ProfileBuilder builder;
  CopyHead(profile, builder);
  Transfer transfer(profile, builder);
  std::vector<std::uint64_t> stack;
  std::vector<ProfileBuilder::Label> labels;
  for (std::size_t i = first; i < end; ++i) {
    const Profile::Sample& sample = profile.samples[i];
    stack.clear();
    for (const std::uint32_t location : profile.StackOf(sample)) {
      stack.push_back(transfer.Location(location));
    }
    labels.clear();
    for (const Profile::Label& label : profile.LabelsOf(sample)) {
      labels.push_back({.key = profile.strings[label.key],
                        .str = profile.strings[label.str],
                        .num = label.num,
                        .num_unit = profile.strings[label.num_unit]});
    }
    builder.AddSample(stack, profile.ValuesOf(i), labels);
  }
  return std::move(builder).Finish();
}

// Halves a range until its message fits. Halving costs a factor of log2(parts) in encoding, which
// only profiles past the limit pay, and never guesses sizes.
void AddParts(const Profile& profile, std::size_t first, std::size_t end, const SplitLimits& limits,
              std::vector<std::string>& parts) {
  std::string part = Part(profile, first, end);
  if (part.size() <= limits.max_bytes || end - first <= 1) {
    parts.push_back(std::move(part));
    return;
  }
  const std::size_t middle = first + (end - first) / 2;
  AddParts(profile, first, middle, limits, parts);
  AddParts(profile, middle, end, limits, parts);
}

}  // namespace

bool NeedsSplit(const Profile& profile, const SplitLimits& limits) {
  return profile.samples.size() > limits.max_samples || profile.bytes->size() > limits.max_bytes;
}

std::vector<std::string> Split(const Profile& profile, const SplitLimits& limits) {
  std::vector<std::string> parts;
  std::size_t first = 0;
  do {
    const std::size_t end = std::min(profile.samples.size(), first + limits.max_samples);
    AddParts(profile, first, end, limits, parts);
    first = end;
  } while (first < profile.samples.size());
  return parts;
}

}  // namespace stoker::pprof
