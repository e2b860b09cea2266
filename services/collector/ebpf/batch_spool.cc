#include "services/collector/ebpf/batch_spool.h"

#include <algorithm>
#include <utility>

#include "services/common/base/status.h"
#include "services/common/log/log.h"

namespace stoker::ebpf {
namespace {

constexpr char kConsumer[] = "symbolizer";
constexpr std::size_t kMaxTaken = 64;

}  // namespace

BatchSpool::BatchSpool(sample::v1::Hello hello, Events events)
    : hello_(std::move(hello)), events_(std::move(events)) {}

absl::StatusOr<std::unique_ptr<BatchSpool>> BatchSpool::Open(spool::Options options,
                                                             sample::v1::Hello hello, Env& env,
                                                             Clock& clock, spool::Metrics metrics,
                                                             Events events) {
  std::unique_ptr<BatchSpool> self(new BatchSpool(std::move(hello), std::move(events)));
  STOKER_ASSIGN_OR_RETURN(
      self->spool_,
      spool::Spool::Open(
          std::move(options), {kConsumer}, env, clock, metrics,
          {.appended = [raw = self.get()](std::uint64_t samples) { raw->OnAppended(samples); },
           .completed = [raw = self.get()](std::uint64_t samples) { raw->OnCompleted(samples); },
           .dropped = [raw = self.get()](
                          std::string_view reason,
                          std::uint64_t samples) { raw->OnDropped(reason, samples); },
           .readable = {}}));
  {
    absl::MutexLock lock(&self->mutex_);
    self->opened_ = true;
  }
  self->committer_ = std::make_unique<spool::Committer>(*self->spool_);
  return self;
}

BatchSpool::~BatchSpool() = default;

void BatchSpool::OnAppended(std::uint64_t samples) {
  absl::MutexLock lock(&mutex_);
  if (opened_) {
    samples_under_way_ -= samples;
  } else {
    earlier_samples_ += samples;
    events_.found(samples);
  }
}

void BatchSpool::OnCompleted(std::uint64_t samples) {
  events_.done(samples);
  absl::MutexLock lock(&mutex_);
  earlier_samples_ -= std::min(samples, earlier_samples_);
}

void BatchSpool::OnDropped(std::string_view reason, std::uint64_t samples) {
  events_.dropped(reason, samples);
  absl::MutexLock lock(&mutex_);
  const std::uint64_t earlier = std::min(samples, earlier_samples_);
  earlier_samples_ -= earlier;
  if (reason.starts_with("spool_")) samples_dropped_ += samples - earlier;
}

std::uint64_t BatchSpool::samples_dropped() const {
  absl::MutexLock lock(&mutex_);
  return samples_dropped_;
}

void BatchSpool::Put(const sample::v1::RawStackBatch& batch, std::uint64_t samples) {
  SpooledBatch record;
  *record.mutable_hello() = hello_;
  *record.mutable_batch() = batch;
  {
    absl::MutexLock lock(&mutex_);
    ++puts_.total;
    ++puts_.under_way;
    samples_under_way_ += samples;
  }
  spool_->Append(record.SerializeAsString(), samples, [this, samples](const absl::Status& durable) {
    absl::MutexLock lock(&mutex_);
    --puts_.under_way;
    if (durable.ok()) return;
    log::Error("the spool refused a batch",
               {{"component_id", hello_.component_id()}, {"samples", samples}, {"error", durable}});
    samples_under_way_ -= samples;
    samples_dropped_ += samples;
    events_.dropped("spool_failed", samples);
  });
}

absl::StatusOr<std::vector<BatchSpool::Taken>> BatchSpool::Take(std::uint64_t max_bytes) {
  std::vector<Taken> taken;
  while (taken.empty()) {
    STOKER_ASSIGN_OR_RETURN(auto records, spool_->Read(kConsumer, kMaxTaken, max_bytes));
    if (records.empty()) break;
    for (const spool::Spool::Record& record : records) {
      auto batch = std::make_shared<SpooledBatch>();
      if (batch->ParseFromString(record.payload)) {
        taken.push_back({std::move(batch), record.sequence, record.samples, record.payload.size()});
      } else {
        spool_->Lost(kConsumer, record.sequence, "spool_damaged");
      }
    }
  }
  return taken;
}

void BatchSpool::Done(std::uint64_t sequence) { spool_->Done(kConsumer, sequence); }

void BatchSpool::Lost(std::uint64_t sequence, std::string_view reason) {
  spool_->Lost(kConsumer, sequence, reason);
}

BatchSpool::Puts BatchSpool::puts() const {
  absl::MutexLock lock(&mutex_);
  return puts_;
}

void BatchSpool::Audit(const std::function<void(std::uint64_t samples)>& audit) const {
  spool_->Audit([&](std::uint64_t samples) {
    absl::MutexLock lock(&mutex_);
    audit(samples + samples_under_way_);
  });
}

}  // namespace stoker::ebpf
