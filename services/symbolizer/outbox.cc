#include "services/symbolizer/outbox.h"

#include <utility>

namespace stoker::symbolizer {

void Outbox::Add(AssembledProfile profile, std::shared_ptr<Interval> interval) {
  const std::string id = profile.profile.id();
  const auto it =
      items_.emplace(id, Item{.profile = std::make_shared<AssembledProfile>(std::move(profile)),
                              .interval = std::move(interval)});
  if (connected_) Send(it->second);
}

void Outbox::OnConnected() {
  connected_ = true;
  for (auto& [id, item] : items_) Send(item);
}

void Outbox::OnLost() { connected_ = false; }

void Outbox::OnAnswer(const profile::v1::Answer& answer, absl::Duration now) {
  const auto [first, last] = items_.equal_range(answer.id());
  if (answer.outcome_case() == profile::v1::Answer::kRetryAfterMs) {
    for (auto it = first; it != last; ++it) {
      it->second.send_at = now + absl::Milliseconds(answer.retry_after_ms());
    }
    return;
  }
  if (answer.outcome_case() == profile::v1::Answer::OUTCOME_NOT_SET) return;
  std::vector<Item> settled;
  for (auto it = first; it != last; ++it) settled.push_back(std::move(it->second));
  items_.erase(first, last);
  for (const Item& item : settled) {
    settled_(*item.profile, *item.interval, answer.has_rejected() ? &answer.rejected() : nullptr);
  }
}

void Outbox::Tick(absl::Duration now) {
  if (!connected_) return;
  for (auto& [id, item] : items_) {
    if (now >= item.send_at) Send(item);
  }
}

void Outbox::Send(Item& item) {
  item.send_at = absl::InfiniteDuration();
  // The sink shares the profile: a resend copies nothing.
  sink_.Send({item.profile, &item.profile->profile});
}

}  // namespace stoker::symbolizer
