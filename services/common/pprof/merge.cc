#include "services/common/pprof/merge.h"

#include <algorithm>
#include <span>

#include <xxhash.h>

#include "services/common/base/status.h"
#include "services/common/pprof/transfer.h"

namespace stoker::pprof {

Merge::Types Merge::TypesOf(const Profile& profile) {
  Types types;
  for (const Profile::ValueType& type : profile.sample_types) {
    types.samples.emplace_back(profile.strings[type.type], profile.strings[type.unit]);
  }
  types.period = {std::string(profile.strings[profile.period_type.type]),
                  std::string(profile.strings[profile.period_type.unit])};
  return types;
}

void Merge::AddHead(const Profile& profile) {
  if (empty_ || (profile.time_nanos != 0 && profile.time_nanos < time_nanos_) || time_nanos_ == 0) {
    time_nanos_ = profile.time_nanos;
  }
  if (empty_) {
    builder_.SetDropFrames(profile.strings[profile.drop_frames]);
    builder_.SetKeepFrames(profile.strings[profile.keep_frames]);
    default_sample_type_ = profile.strings[profile.default_sample_type];
  }
  for (const std::uint32_t comment : profile.comments) {
    builder_.AddComment(profile.strings[comment]);
  }
  duration_nanos_ += profile.duration_nanos;
  period_ = std::max(period_, profile.period);
  empty_ = false;
}

void Merge::AddLabelKey(const ProfileBuilder::Label& label) {
  keys_.push_back(label_strings_.Intern(label.key));
  keys_.push_back(label_strings_.Intern(label.str));
  keys_.push_back(static_cast<std::uint64_t>(label.num));
  keys_.push_back(label_strings_.Intern(label.num_unit));
}

absl::Status Merge::Add(const Profile& profile, std::span<const ProfileBuilder::Label> labels) {
  Types types = TypesOf(profile);
  if (empty_) {
    types_ = std::move(types);
  } else if (types != types_) {
    return InvalidArgument("profiles of different sample types or period types");
  }
  AddHead(profile);

  Transfer transfer(profile, builder_);
  for (std::size_t i = 0; i < profile.samples.size(); ++i) {
    const Profile::Sample& sample = profile.samples[i];
    const std::size_t start = keys_.size();
    keys_.push_back(sample.stack.count);
    for (const std::uint32_t location : profile.StackOf(sample)) {
      keys_.push_back(transfer.Location(location));
    }
    for (const Profile::Label& label : profile.LabelsOf(sample)) {
      AddLabelKey({.key = profile.strings[label.key],
                   .str = profile.strings[label.str],
                   .num = label.num,
                   .num_unit = profile.strings[label.num_unit]});
    }
    for (const ProfileBuilder::Label& label : labels) AddLabelKey(label);
    const std::span<const std::uint64_t> key(&keys_[start], keys_.size() - start);
    const auto next = static_cast<std::uint32_t>(starts_.size() - 1);
    const auto found =
        index_.FindOrInsert(XXH3_64bits(key.data(), key.size_bytes()), next, [&](std::uint32_t n) {
          return std::equal(key.begin(), key.end(),
                            keys_.begin() + static_cast<std::ptrdiff_t>(starts_[n]),
                            keys_.begin() + static_cast<std::ptrdiff_t>(starts_[n + 1]));
        });
    const std::span<const std::int64_t> values = profile.ValuesOf(i);
    if (found.inserted) {
      starts_.push_back(keys_.size());
      values_.insert(values_.end(), values.begin(), values.end());
      continue;
    }
    keys_.resize(start);
    for (std::size_t v = 0; v < values.size(); ++v) {
      std::int64_t& sum = values_[found.number * values.size() + v];
      // Wraps instead of overflowing: the sender chose the numbers.
      sum = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum) +
                                      static_cast<std::uint64_t>(values[v]));
    }
  }
  return absl::OkStatus();
}

std::string Merge::Finish() && {
  if (empty_) return "";
  for (const auto& [type, unit] : types_.samples) builder_.AddSampleType(type, unit);
  builder_.SetPeriod(types_.period.first, types_.period.second, period_);
  const auto [start, duration] = time_.value_or(std::pair(time_nanos_, duration_nanos_));
  builder_.SetTime(start, duration);
  builder_.SetDefaultSampleType(default_sample_type_);
  const std::size_t width = types_.samples.size();
  std::vector<ProfileBuilder::Label> labels;
  for (std::size_t n = 0; n + 1 < starts_.size(); ++n) {
    const std::span<const std::int64_t> values(values_.data() + n * width, width);
    if (std::all_of(values.begin(), values.end(), [](std::int64_t v) { return v == 0; })) continue;
    const std::uint64_t* key = keys_.data() + starts_[n];
    const std::span<const std::uint64_t> stack(key + 1, key[0]);
    labels.clear();
    for (const std::uint64_t* l = key + 1 + key[0]; l != keys_.data() + starts_[n + 1]; l += 4) {
      labels.push_back({.key = label_strings_.Get(static_cast<std::uint32_t>(l[0])),
                        .str = label_strings_.Get(static_cast<std::uint32_t>(l[1])),
                        .num = static_cast<std::int64_t>(l[2]),
                        .num_unit = label_strings_.Get(static_cast<std::uint32_t>(l[3]))});
    }
    builder_.AddSample(stack, values, labels);
  }
  return std::move(builder_).Finish();
}

}  // namespace stoker::pprof
