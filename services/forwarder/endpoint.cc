#include "services/forwarder/endpoint.h"

#include <algorithm>
#include <utility>

#include "services/common/base/status.h"
#include "services/common/log/log.h"
#include "services/forwarder/profile_split.h"

namespace stoker::forwarder {
namespace {

constexpr std::size_t kMaxInFlight = 16;
// Read from the spool and not settled: in flight or waiting for another attempt.
constexpr std::size_t kMaxOpen = 64;
constexpr std::size_t kMaxOpenBytes = 32 << 20;
constexpr std::size_t kReadRecords = 16;
constexpr std::size_t kReadBytes = 4 << 20;
// Failures in a row that mean that the endpoint is down, not the profile bad.
constexpr int kDownAfter = 4;
// A profile is bad when it failed as often as max_backoff_retries allows while so many others went
// through.
constexpr std::uint64_t kOthersSent = 8;
constexpr absl::Duration kMaxRetryAfter = absl::Hours(1);
// Between attempts to reach an endpoint that nobody serves: soon after it starts it has its
// profiles.
constexpr absl::Duration kUnreachablePause = absl::Seconds(5);
constexpr absl::Duration kIdle = absl::Seconds(1);

std::unique_ptr<rpc::Backoff> MakeBackoff(const PushTarget& target, Random& random) {
  return std::make_unique<rpc::Backoff>(target.endpoint.min_backoff_period,
                                        target.endpoint.max_backoff_period, random);
}

// What is to be sent next of an open profile.
const std::string& Next(const auto& open) {
  return open.parts.empty() ? open.record : open.parts.front();
}

}  // namespace

Endpoint::Endpoint(std::string consumer, std::string component, PushTarget target,
                   std::unique_ptr<PushClient> client, Surroundings around, EndpointMetrics metrics)
    : consumer_(std::move(consumer)),
      component_(std::move(component)),
      target_(std::move(target)),
      client_(std::move(client)),
      around_(around),
      metrics_(metrics),
      mailbox_(std::make_shared<Mailbox>(around.wakeup)),
      backoff_(MakeBackoff(target_, around.random)) {}

void Endpoint::Update(PushTarget target, std::unique_ptr<PushClient> client) {
  retired_.push_back(std::exchange(client_, std::move(client)));
  target_ = std::move(target);
  backoff_ = MakeBackoff(target_, around_.random);
  // What was wrong may be mended now.
  paused_until_ = absl::ZeroDuration();
  for (Open& open : open_) open.due = absl::ZeroDuration();
}

absl::Duration Endpoint::Poll() {
  TakeAnswers();
  if (in_flight_ == 0) retired_.clear();
  const bool more = Fill();
  StartDue();
  return more ? absl::ZeroDuration() : UntilNext();
}

void Endpoint::TakeAnswers() {
  for (const Mailbox::Letter& letter : mailbox_->TakeAll()) {
    const auto open = std::find_if(open_.begin(), open_.end(), [&](const Open& each) {
      return each.sequence == letter.sequence;
    });
    if (open != open_.end()) OnAnswer(open, letter.answer);
  }
}

void Endpoint::OnAnswer(OpenList::iterator open, const HttpAnswer& answer) {
  --in_flight_;
  open->in_flight = false;
  auto& latency = open->ingest ? metrics_.ingest_downstream : metrics_.push_downstream;
  latency.Observe(absl::ToDoubleSeconds(around_.clock.Monotonic() - open->start));
  const PushOutcome outcome = JudgeAnswer(answer, open->ingest, target_.endpoint.retry_on_http_429);
  if (!outcome.message.empty()) {
    last_error_ = outcome.message;
    last_error_time_ = around_.clock.Now();
  }
  switch (outcome.kind) {
    case PushOutcome::Kind::kSent:
      return OnSent(open);
    case PushOutcome::Kind::kRetry:
      return OnFailure(open, outcome);
    case PushOutcome::Kind::kRefused:
      return OnRefusal(open, "refused", outcome.message);
    case PushOutcome::Kind::kTooOld:
      return OnRefusal(open, "too_old", outcome.message);
  }
}

void Endpoint::OnSent(OpenList::iterator open) {
  ComeUp();
  ++sent_;
  metrics_.sent_profiles.Increment();
  metrics_.sent_bytes.Increment(static_cast<double>(open->payload_bytes));
  auto& latency = open->ingest ? metrics_.ingest_endpoint : metrics_.push_endpoint;
  latency.Observe(absl::ToDoubleSeconds(around_.clock.Monotonic() - open->first_start));
  Settle(open);
}

void Endpoint::Settle(OpenList::iterator open) {
  if (open->parts.size() > 1) {
    open->parts.pop_front();
    open->attempts = 0;
    open->due = absl::ZeroDuration();
    return;
  }
  if (open->lost_reason.empty()) {
    around_.spool.Done(consumer_, open->sequence);
  } else {
    around_.spool.Lost(consumer_, open->sequence, open->lost_reason);
  }
  open_bytes_ -= open->record.size();
  open_.erase(open);
}

void Endpoint::OnFailure(OpenList::iterator open, const PushOutcome& outcome) {
  if (open->attempts == 1) open->sent_before_failure = sent_;
  if (IsPoison(*open)) return OnRefusal(open, "failed_repeatedly", outcome.message);
  metrics_.retries.Increment();
  const absl::Duration now = around_.clock.Monotonic();
  rpc::Backoff own(target_.endpoint.min_backoff_period, target_.endpoint.max_backoff_period,
                   around_.random);
  absl::Duration delay;
  for (int i = 0; i < std::min(open->attempts, 32); ++i) delay = own.Next();
  const absl::Duration longest = outcome.unreachable ? kUnreachablePause : absl::InfiniteDuration();
  open->due = now + std::min(delay, longest);
  if (outcome.retry_after > absl::ZeroDuration()) {
    const absl::Duration asked = std::min(outcome.retry_after, kMaxRetryAfter);
    paused_until_ = std::max(paused_until_, now + asked);
    open->due = std::max(open->due, now + asked);
  }
  if (++failures_ >= kDownAfter) GoDown(longest);
}

void Endpoint::OnRefusal(OpenList::iterator open, const std::string& reason,
                         const std::string& message) {
  if (reason != "failed_repeatedly") ComeUp();
  profile::v1::Profile profile;
  if (reason == "refused" && profile.ParseFromString(open->record) && Split(*open, profile)) return;
  metrics_.dropped_profiles.Increment();
  metrics_.dropped_bytes.Increment(static_cast<double>(open->payload_bytes));
  LogRefusal(reason, message);
  if (reason != "too_old") {
    around_.dead_letters.Add(Next(*open), consumer_ + "\n" + reason + "\n" + message + "\n");
  }
  open->lost_reason = reason;
  Settle(open);
}

// An endpoint that refuses everything says the same of each.
void Endpoint::LogRefusal(const std::string& reason, const std::string& message) {
  if (std::exchange(last_refusal_, reason) == reason) return;
  log::Warn("profile refused", {{"component_id", component_},
                                {"endpoint", PublicUrl(target_.endpoint.url)},
                                {"reason", reason},
                                {"error", message}});
}

bool Endpoint::Split(Open& open, const profile::v1::Profile& profile) {
  if (!open.parts.empty() || open.ingest) return false;
  for (const profile::v1::Profile& part : SplitProfile(profile)) {
    open.parts.push_back(part.SerializeAsString());
  }
  open.attempts = 0;
  return !open.parts.empty();
}

bool Endpoint::IsPoison(const Open& open) const {
  const int limit = target_.endpoint.max_backoff_retries;
  return limit > 0 && open.attempts >= limit && sent_ >= open.sent_before_failure + kOthersSent;
}

void Endpoint::GoDown(absl::Duration longest_pause) {
  const absl::Duration pause = std::min(backoff_->Next(), longest_pause);
  paused_until_ = std::max(paused_until_, around_.clock.Monotonic() + pause);
  if (std::exchange(down_, true)) return;
  log::Warn("endpoint is down", {{"component_id", component_},
                                 {"endpoint", PublicUrl(target_.endpoint.url)},
                                 {"error", last_error_}});
}

void Endpoint::ComeUp() {
  failures_ = 0;
  backoff_->Reset();
  if (!std::exchange(down_, false)) return;
  paused_until_ = absl::ZeroDuration();
  for (Open& open : open_) open.due = absl::ZeroDuration();
  log::Info("endpoint is back",
            {{"component_id", component_}, {"endpoint", PublicUrl(target_.endpoint.url)}});
}

bool Endpoint::Fill() {
  if (open_.size() >= kMaxOpen || open_bytes_ >= kMaxOpenBytes) return false;
  auto records = around_.spool.Read(consumer_, kReadRecords, kReadBytes);
  if (!records.ok()) {
    last_error_ = Message(records.status());
    last_error_time_ = around_.clock.Now();
    return false;
  }
  for (spool::Spool::Record& record : *records) Take(std::move(record));
  return !records->empty();
}

void Endpoint::Take(spool::Spool::Record record) {
  profile::v1::Profile profile;
  if (!profile.ParseFromString(record.payload)) {
    return around_.spool.Lost(consumer_, record.sequence, "spool_damaged");
  }
  const bool ours = std::find(profile.receivers().begin(), profile.receivers().end(), component_) !=
                    profile.receivers().end();
  if (!ours) return around_.spool.Done(consumer_, record.sequence);
  open_bytes_ += record.payload.size();
  Open& open = open_.emplace_back(Open{.sequence = record.sequence,
                                       .record = std::move(record.payload),
                                       .ingest = profile.has_ingest()});
  if (IsLarge(profile)) Split(open, profile);
}

void Endpoint::StartDue() {
  const absl::Duration now = around_.clock.Monotonic();
  if (now < paused_until_) return;
  if (down_) {
    const auto next = std::min_element(open_.begin(), open_.end(),
                                       [](const Open& a, const Open& b) { return a.due < b.due; });
    if (in_flight_ == 0 && next != open_.end()) Start(*next);
    return;
  }
  for (Open& open : open_) {
    if (in_flight_ >= kMaxInFlight) return;
    if (!open.in_flight && open.due <= now) Start(open);
  }
}

void Endpoint::Start(Open& open) {
  profile::v1::Profile profile;
  profile.ParseFromString(Next(open));
  open.payload_bytes = open.ingest ? profile.ingest().body().size() : profile.pprof().size();
  open.start = around_.clock.Monotonic();
  if (open.attempts++ == 0) open.first_start = open.start;
  open.in_flight = true;
  ++in_flight_;
  client_->Post(MakePost(target_, std::move(profile)),
                [mailbox = mailbox_, sequence = open.sequence](HttpAnswer answer) {
                  mailbox->Put(sequence, std::move(answer));
                });
}

absl::Duration Endpoint::UntilNext() const {
  const absl::Duration now = around_.clock.Monotonic();
  absl::Duration next = now + kIdle;
  if (open_.empty()) return kIdle;
  if (down_) return in_flight_ > 0 ? kIdle : std::clamp(paused_until_ - now, {}, kIdle);
  for (const Open& open : open_) {
    if (!open.in_flight) next = std::min(next, std::max(open.due, paused_until_));
  }
  if (in_flight_ >= kMaxInFlight) return kIdle;
  return std::max(next - now, absl::ZeroDuration());
}

nlohmann::json Endpoint::State() const {
  nlohmann::json state = {{"component", component_}, {"consumer", consumer_}, {"down", down_},
                          {"in_flight", in_flight_}, {"open", open_.size()},  {"sent", sent_}};
  if (!last_error_.empty()) {
    state["last_error"] = last_error_;
    state["last_error_time"] = absl::FormatTime(last_error_time_, absl::UTCTimeZone());
  }
  return state;
}

}  // namespace stoker::forwarder
