#include "services/store/storage.h"

#include <cstring>
#include <filesystem>
#include <utility>

#include <xxhash.h>

#include "proto/push/v1/push.pb.h"
#include "services/common/base/status.h"
#include "services/store/admission.h"

namespace stoker::store {
namespace {

// A record of the head's log: the time of receipt in nanoseconds, then a push.v1.RawProfileSeries
// with one sample.
std::string EncodeRecord(const model::Labels& labels, std::string_view raw, std::string_view id,
                         absl::Time received) {
  push::v1::RawProfileSeries series;
  for (const model::Label& label : labels) {
    types::v1::LabelPair* const pair = series.add_labels();
    pair->set_name(label.name);
    pair->set_value(label.value);
  }
  push::v1::RawSample* const sample = series.add_samples();
  sample->set_raw_profile(raw.data(), raw.size());
  sample->set_id(id.data(), id.size());
  const std::int64_t nanos = absl::ToUnixNanos(received);
  std::string record(sizeof(nanos), '\0');
  std::memcpy(record.data(), &nanos, sizeof(nanos));
  series.AppendToString(&record);
  return record;
}

std::optional<ProfileKey> KeyOf(const model::Labels& labels, std::string_view id) {
  if (id.empty()) return std::nullopt;
  std::string text = labels.ToString();
  text += '\0';
  text += id;
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return ProfileKey{hash.low64, hash.high64};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Storage>> Storage::Open(StorageOptions options, const Clock& clock) {
  std::error_code error;
  std::filesystem::create_directories(options.dir, error);
  if (error) return ErrnoError(error.value(), "make " + options.dir);
  std::unique_ptr<Storage> storage(new Storage(std::move(options), clock));
  STOKER_RETURN_IF_ERROR(storage->OpenHead());
  return storage;
}

absl::Status Storage::OpenHead() {
  absl::MutexLock lock(&push_mutex_);
  head_ = std::make_shared<Head>(catalog_);
  STOKER_ASSIGN_OR_RETURN(
      log_, HeadLog::Open(options_.dir + "/head.log",
                          [this](std::string_view record) { return Replay(record); }));
  return absl::OkStatus();
}

absl::Status Storage::Replay(std::string_view record) {
  std::int64_t nanos = 0;
  push::v1::RawProfileSeries series;
  if (record.size() < sizeof(nanos) ||
      !series.ParseFromArray(record.data() + sizeof(nanos),
                             static_cast<int>(record.size() - sizeof(nanos))) ||
      series.samples_size() != 1) {
    return DataLoss("record of {} bytes is no profile", record.size());
  }
  std::memcpy(&nanos, record.data(), sizeof(nanos));
  std::vector<model::Label> pairs;
  for (const types::v1::LabelPair& pair : series.labels()) {
    pairs.push_back({pair.name(), pair.value()});
  }
  const model::Labels labels(std::move(pairs));
  const push::v1::RawSample& sample = series.samples(0);
  // It was admitted once; limits that are tighter now do not undo that.
  const auto profile =
      AdmitProfile(labels, sample.raw_profile(), absl::FromUnixNanos(nanos), options_.limits);
  if (profile.ok()) head_->Add(*profile, KeyOf(labels, sample.id()));
  return absl::OkStatus();
}

absl::StatusOr<Storage::Pushed> Storage::Push(const model::Labels& labels, std::string_view raw,
                                              std::string_view id) {
  const absl::Time received = clock_.Now();
  STOKER_ASSIGN_OR_RETURN(const AdmittedProfile profile,
                          AdmitProfile(labels, raw, received, options_.limits));
  STOKER_RETURN_IF_ERROR(CheckWindow(labels, profile.time_nanos, received, options_.limits));
  Pushed pushed = {.samples = profile.profile.samples.size()};
  if (profile.series.empty()) return pushed;

  const std::optional<ProfileKey> key = KeyOf(labels, id);
  const std::string record = EncodeRecord(labels, raw, id, received);
  absl::MutexLock lock(&push_mutex_);
  if (key) {
    STOKER_ASSIGN_OR_RETURN(pushed.duplicate, IsStored(*key, profile.time_nanos));
    if (pushed.duplicate) return pushed;
  }
  if (const absl::Status appended = log_->Append(record); !appended.ok()) {
    return Unavailable("store: {}", Message(appended));
  }
  head_->Add(profile, key);
  for (const AdmittedProfile::Series& series : profile.series) {
    pushed.stored = std::max<std::uint64_t>(pushed.stored, series.entries.size());
  }
  return pushed;
}

absl::StatusOr<bool> Storage::IsStored(const ProfileKey& key, std::int64_t) const {
  return head_->HasKey(key);
}

std::vector<std::shared_ptr<const Part>> Storage::Parts() const { return {head_}; }

}  // namespace stoker::store
