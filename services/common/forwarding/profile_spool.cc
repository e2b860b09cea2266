#include "services/common/forwarding/profile_spool.h"

#include <utility>

#include "services/common/base/status.h"
#include "services/common/log/log.h"

namespace stoker::forwarding {
namespace {

constexpr char kConsumer[] = "forwarder";
constexpr std::uint64_t kSegmentBytes = 16 << 20;
constexpr std::uint64_t kMaxPendingBytes = 32 << 20;
constexpr std::uint64_t kReserveBytes = 1 << 20;
// A profile of the default limits and its labels.
constexpr std::uint64_t kMaxRecordBytes = 80 << 20;
// Of one read.
constexpr std::size_t kMaxRecords = 256;

}  // namespace

absl::StatusOr<std::unique_ptr<ProfileSpool>> ProfileSpool::Open(const Options& options, Env& env,
                                                                 Clock& clock,
                                                                 metrics::Registry& registry,
                                                                 metrics::Stage& stage) {
  std::unique_ptr<ProfileSpool> opened(new ProfileSpool(stage));
  STOKER_ASSIGN_OR_RETURN(opened->spool_, spool::Spool::Open({.folder = options.folder,
                                                              .segment_bytes = kSegmentBytes,
                                                              .max_bytes = options.max_bytes,
                                                              .max_age = options.max_age,
                                                              .max_record_bytes = kMaxRecordBytes,
                                                              .max_pending_bytes = kMaxPendingBytes,
                                                              .reserve_bytes = kReserveBytes},
                                                             {kConsumer}, env, clock,
                                                             spool::Metrics(registry, options.name),
                                                             opened->MakeEvents()));
  opened->open_ = true;
  opened->committer_ = std::make_unique<spool::Committer>(*opened->spool_);
  return opened;
}

spool::Events ProfileSpool::MakeEvents() {
  return {.appended =
              [this](std::uint64_t samples) {
                if (open_) {
                  Released(samples);
                } else {
                  stage_.In(samples);
                }
              },
          .completed = [this](std::uint64_t samples) { stage_.Out(samples); },
          .dropped = [this](std::string_view reason,
                            std::uint64_t samples) { stage_.Drop(reason, samples); },
          .readable = [this] { readable_ = true; }};
}

void ProfileSpool::Put(const profile::v1::Profile& profile,
                       std::function<void(absl::Status)> done) {
  spool_->Append(profile.SerializeAsString(), profile.samples(), std::move(done));
}

std::vector<ProfileSpool::Taken> ProfileSpool::Take(std::size_t max_bytes) {
  if (!readable_.exchange(false)) return {};
  auto records = spool_->Read(kConsumer, kMaxRecords, max_bytes);
  // A disk that fails is asked again; the spool gives up on what it cannot read.
  if (!records.ok() || !records->empty()) readable_ = true;
  if (!records.ok()) return {};
  std::vector<Taken> taken;
  for (const spool::Spool::Record& record : *records) {
    auto profile = std::make_shared<profile::v1::Profile>();
    if (profile->ParseFromString(record.payload)) {
      taken.push_back({record.sequence, std::move(profile), record.time});
    } else {
      Lost(record.sequence, "spool_damaged");
    }
  }
  return taken;
}

void ProfileSpool::Done(std::uint64_t sequence) { spool_->Done(kConsumer, sequence); }

void ProfileSpool::Lost(std::uint64_t sequence, std::string_view reason) {
  spool_->Lost(kConsumer, sequence, reason);
}

void ProfileSpool::Audit() {
  spool_->Audit([this](std::uint64_t samples) { stage_.Audit(samples + held_); });
}

}  // namespace stoker::forwarding
