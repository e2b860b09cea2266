#include "services/store/head.h"

#include "services/common/base/random.h"
#include "services/common/base/status.h"
#include "services/store/symbol_import.h"

namespace stoker::store {

Head::Head(SeriesCatalog& catalog) : catalog_(catalog), stacks_(SystemRandom().Next()) {}

void Head::Add(const AdmittedProfile& profile, const std::optional<ProfileKey>& key) {
  absl::MutexLock lock(&mutex_);
  SymbolImport import(profile.profile, symbols_, stacks_);
  std::vector<bool> wanted(profile.profile.samples.size());
  for (const AdmittedProfile::Series& series : profile.series) {
    for (const AdmittedProfile::Entry& entry : series.entries) wanted[entry.sample] = true;
  }
  const std::vector<std::uint32_t> stacks = import.Stacks(wanted);
  std::vector<StackValue> samples;
  for (const AdmittedProfile::Series& series : profile.series) {
    samples.clear();
    for (const AdmittedProfile::Entry& entry : series.entries) {
      samples.push_back({.stack = stacks[entry.sample], .value = entry.value});
    }
    Row row = {
        .profile = {.series = catalog_.Intern(series.labels), .time_nanos = profile.time_nanos},
        .samples = samples_.size()};
    row.profile.total = EncodeSamples(samples, samples_);
    rows_.push_back(row);
  }
  bounds_.Add(profile.time_nanos);
  if (key) keys_.emplace(*key, profile.time_nanos);
}

TimeBounds Head::bounds() const {
  absl::ReaderMutexLock lock(&mutex_);
  return bounds_;
}

absl::Status Head::CollectSeries(const TimeRange& range, SeriesSet& series) const {
  absl::ReaderMutexLock lock(&mutex_);
  for (const Row& row : rows_) {
    if (range.Has(row.profile.time_nanos)) series.insert(row.profile.series);
  }
  return absl::OkStatus();
}

absl::Status Head::ForEachRow(const SeriesSet& series, const TimeRange& range,
                              const RowVisitor& visit) const {
  absl::ReaderMutexLock lock(&mutex_);
  for (const Row& row : rows_) {
    if (range.Has(row.profile.time_nanos) && series.contains(row.profile.series)) {
      visit(row.profile);
    }
  }
  return absl::OkStatus();
}

absl::Status Head::Sum(const SeriesSet& series, const TimeRange& range,
                       const SumVisitor& use) const {
  absl::ReaderMutexLock lock(&mutex_);
  std::vector<std::int64_t> sums;
  for (const Row& row : rows_) {
    if (!range.Has(row.profile.time_nanos) || !series.contains(row.profile.series)) continue;
    if (sums.empty()) sums.resize(symbols_.stacks().size());
    STOKER_RETURN_IF_ERROR(AddSamples(std::string_view(samples_).substr(row.samples), sums));
  }
  if (!sums.empty()) use(symbols_, sums);
  return absl::OkStatus();
}

absl::StatusOr<bool> Head::HasKey(const ProfileKey& key) const {
  absl::ReaderMutexLock lock(&mutex_);
  return keys_.contains(key);
}

std::size_t Head::profiles() const {
  absl::ReaderMutexLock lock(&mutex_);
  return rows_.size();
}

std::size_t Head::bytes() const {
  absl::ReaderMutexLock lock(&mutex_);
  return symbols_.bytes() + stacks_.bytes() + samples_.size() + rows_.size() * sizeof(Row) +
         keys_.size() * 48;
}

absl::Status Head::ForEachProfile(const ProfileVisitor& visit) const {
  absl::ReaderMutexLock lock(&mutex_);
  std::vector<StackValue> samples;
  const auto stacks = static_cast<std::uint32_t>(symbols_.stacks().size());
  for (const Row& row : rows_) {
    STOKER_RETURN_IF_ERROR(
        DecodeSamples(std::string_view(samples_).substr(row.samples), stacks, samples));
    visit(row.profile, symbols_, samples);
  }
  return absl::OkStatus();
}

void Head::ForEachKey(
    const std::function<void(const ProfileKey&, std::int64_t time_nanos)>& visit) const {
  absl::ReaderMutexLock lock(&mutex_);
  for (const auto& [key, time] : keys_) visit(key, time);
}

}  // namespace stoker::store
