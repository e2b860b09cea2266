#include "services/common/forwarding/profile_queue.h"

#include <algorithm>
#include <utility>

#include "services/common/log/log.h"

namespace stoker::forwarding {
namespace {

using profile::v1::Answer;

// Read from the spool and not yet accepted.
constexpr std::size_t kReadBytes = std::size_t{8} << 20;
// After the disk has refused.
constexpr absl::Duration kSpillRetry = absl::Seconds(1);

}  // namespace

void ProfileQueue::UseSpool(ProfileSpool& spool, Clock& clock, SpoolOptions options) {
  spool_ = &spool;
  clock_ = &clock;
  spool_options_ = std::move(options);
}

void ProfileQueue::Add(std::shared_ptr<const profile::v1::Profile> profile, Accepted accepted,
                       absl::Duration now, Lost lost) {
  const std::size_t bytes = profile->ByteSizeLong();
  stage_.In(profile->samples());
  samples_ += profile->samples();
  if (spool_ != nullptr) spool_->Held(profile->samples());
  MakeRoom(bytes);
  Insert({.profile = std::move(profile),
          .accepted = std::move(accepted),
          .lost = std::move(lost),
          .bytes = bytes,
          .added = now});
}

void ProfileQueue::MakeRoom(std::size_t bytes) {
  for (auto item = items_.begin();
       item != items_.end() && bytes_ - read_bytes_ + bytes > max_bytes_;) {
    const auto oldest = item++;
    if (oldest->place == Place::kMemory) Drop(oldest, "queue_full");
  }
}

void ProfileQueue::Insert(Item item) {
  bytes_ += item.bytes;
  if (item.place == Place::kSpool) {
    read_bytes_ += item.bytes;
  } else {
    ++unsaved_;
  }
  items_.push_back(std::move(item));
  const Items::iterator inserted = std::prev(items_.end());
  by_id_[inserted->profile->id()] = inserted;
  queue_bytes_.Set(static_cast<double>(bytes_));
  if (connected_) sink_.Send(inserted->profile);
}

void ProfileQueue::OnConnected() {
  connected_ = true;
  away_since_.reset();
  put_off_ = 0;
  for (Item& item : items_) {
    item.send_at = absl::InfiniteDuration();
    // What is being written is sent from there.
    if (item.place != Place::kBeingWritten) sink_.Send(item.profile);
  }
}

void ProfileQueue::OnLost() { connected_ = false; }

void ProfileQueue::OnAnswers(const profile::v1::PushResponse& response, absl::Duration now) {
  for (const Answer& answer : response.answers()) OnAnswer(answer, now);
}

void ProfileQueue::OnAnswer(const Answer& answer, absl::Duration now) {
  const auto found = by_id_.find(answer.id());
  // What is being written will be sent again; the forwarder knows its id.
  if (found == by_id_.end() || found->second->place == Place::kBeingWritten) return;
  const Items::iterator item = found->second;
  switch (answer.outcome_case()) {
    case Answer::kAccepted:
      Accept(item, now);
      break;
    case Answer::kRejected:
      log::Warn("the forwarder refused a profile", {{"component_id", item->profile->producer()},
                                                    {"reason", answer.rejected().reason()},
                                                    {"error", answer.rejected().message()}});
      Drop(item, "refused");
      break;
    default:
      if (item->send_at == absl::InfiniteDuration()) ++put_off_;
      item->send_at = now + absl::Milliseconds(answer.retry_after_ms());
  }
}

void ProfileQueue::Accept(Items::iterator item, absl::Duration now) {
  const absl::Duration waited = now - item->added;
  if (item->place == Place::kSpool) {
    spool_options_.accepted(item->profile->producer(), waited);
    spool_->Done(item->sequence);
  } else {
    item->accepted(waited);
    stage_.Out(item->profile->samples());
    Release(*item);
  }
  Remove(item);
}

void ProfileQueue::Drop(Items::iterator item, std::string_view reason) {
  if (item->place == Place::kSpool) {
    spool_->Lost(item->sequence, reason);
  } else {
    stage_.Drop(reason, item->profile->samples());
    if (item->lost) item->lost();
    Release(*item);
  }
  Remove(item);
}

void ProfileQueue::Release(const Item& item) {
  samples_ -= item.profile->samples();
  if (spool_ != nullptr) spool_->Released(item.profile->samples());
}

void ProfileQueue::Remove(Items::iterator item) {
  if (item->send_at != absl::InfiniteDuration()) --put_off_;
  bytes_ -= item->bytes;
  if (item->place == Place::kSpool) {
    read_bytes_ -= item->bytes;
  } else {
    --unsaved_;
  }
  const auto by_id = by_id_.find(item->profile->id());
  if (by_id != by_id_.end() && by_id->second == item) by_id_.erase(by_id);
  items_.erase(item);
  queue_bytes_.Set(static_cast<double>(bytes_));
}

void ProfileQueue::Tick(absl::Duration now) {
  now_ = now;
  if (!connected_ && !away_since_.has_value()) away_since_ = now;
  if (connected_) SendPutOff(now);
  if (spool_ == nullptr) return stage_.Audit(samples_);
  SpillSome(now);
  if (connected_) ReadBack(now);
  spool_->Audit();
}

void ProfileQueue::SendPutOff(absl::Duration now) {
  if (put_off_ == 0) return;
  for (Item& item : items_) {
    if (item.send_at > now) continue;
    item.send_at = absl::InfiniteDuration();
    --put_off_;
    if (item.place != Place::kBeingWritten) sink_.Send(item.profile);
  }
}

// Oldest first: everything while the forwarder is away, else down to half of what there may be.
void ProfileQueue::SpillSome(absl::Duration now) {
  const bool away = away_since_.has_value() && now - *away_since_ >= kPatience;
  if (unsaved_ == 0 || now < next_spill_) return;
  std::size_t memory = bytes_ - read_bytes_;
  for (auto item = items_.begin(); item != items_.end() && now >= next_spill_; ++item) {
    if (!away && memory <= max_bytes_ / 2) break;
    if (item->place == Place::kSpool) continue;
    memory -= item->bytes;
    if (item->place == Place::kMemory) Spill(item);
  }
}

void ProfileQueue::Spill(Items::iterator item) {
  item->place = Place::kBeingWritten;
  spool_->Put(*item->profile, [this, item](const absl::Status& status) {
    spool_options_.post([this, item, status] { OnSpilled(item, status); });
  });
}

void ProfileQueue::OnSpilled(Items::iterator item, const absl::Status& status) {
  if (status.ok()) {
    // Its samples are the spool's since it is on disk.
    samples_ -= item->profile->samples();
    ++spilled_;
    refused_ = false;
    return Remove(item);
  }
  if (!std::exchange(refused_, true)) log::Warn("cannot spill profiles", {{"error", status}});
  item->place = Place::kMemory;
  next_spill_ = now_ + kSpillRetry;
  if (connected_) sink_.Send(item->profile);
}

void ProfileQueue::ReadBack(absl::Duration now) {
  if (read_bytes_ >= kReadBytes / 2) return;
  const absl::Time wall = clock_->Now();
  for (ProfileSpool::Taken& taken : spool_->Take(kReadBytes - read_bytes_)) {
    const std::size_t bytes = taken.profile->ByteSizeLong();
    const absl::Duration waited = std::max(absl::ZeroDuration(), wall - taken.time);
    Insert({.profile = std::move(taken.profile),
            .bytes = bytes,
            .added = now - waited,
            .place = Place::kSpool,
            .sequence = taken.sequence});
  }
}

void ProfileQueue::SpillAll() {
  if (spool_ == nullptr) return;
  for (auto item = items_.begin(); item != items_.end(); ++item) {
    if (item->place == Place::kMemory) Spill(item);
  }
}

}  // namespace stoker::forwarding
