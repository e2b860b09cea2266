#include "services/discovery/sources/polled_source.h"

#include <algorithm>
#include <utility>

namespace stoker::discovery {
namespace {

constexpr absl::Duration kFirstRetry = absl::Seconds(1);
constexpr std::uint64_t kMaxDoublings = 16;

// Between the end of an Ask and one that is wished for: the peer is busy with us for a fifth of its
// time at most, or for longer only where it is so slow that a change would not be seen in time.
constexpr absl::Duration kShortestGap = absl::Milliseconds(100);
constexpr absl::Duration kLongestGap = absl::Milliseconds(800);

}  // namespace

PolledSource::PolledSource(std::unique_ptr<Poller> poller, absl::Duration refresh_interval,
                           const RefreshMetrics& metrics, Clock& clock, SourceSink& sink)
    : poller_(std::move(poller)),
      refresh_interval_(refresh_interval),
      metrics_(metrics),
      clock_(clock),
      sink_(sink),
      thread_([this] { Run(); }) {}

PolledSource::~PolledSource() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  poller_->Interrupt();
  thread_.join();
  // It may still wish for an Ask.
  poller_.reset();
}

void PolledSource::Run() {
  poller_->OnStart([this] { AskSoon(); });
  while (Wait(AskOnce())) {
  }
}

void PolledSource::AskSoon() {
  absl::MutexLock lock(&mutex_);
  ask_soon_ = true;
}

bool PolledSource::Wait(Pause pause) {
  absl::MutexLock lock(&mutex_);
  last_pause_ = pause.most;
  const absl::Duration busy = std::clamp(4 * last_duration_, kShortestGap, kLongestGap);
  const absl::Duration gap = std::max(pause.least, std::min(pause.most, busy));
  if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), gap)) return false;
  const auto wanted = [this]()
                          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || ask_soon_; };
  mutex_.AwaitWithTimeout(absl::Condition(&wanted), pause.most - gap);
  return !stopping_;
}

PolledSource::Pause PolledSource::AskOnce() {
  {
    absl::MutexLock lock(&mutex_);
    ask_soon_ = false;
  }
  const absl::Duration begin = clock_.Monotonic();
  absl::StatusOr<model::TargetVector> found = poller_->Ask();
  const absl::Status status = found.ok() ? poller_->Missing() : found.status();
  std::uint64_t failures = 0;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return {};
    last_duration_ = clock_.Monotonic() - begin;
    failures_ = failures = status.ok() ? 0 : failures_ + 1;
    if (status.ok()) last_success_ = clock_.Now();
    metrics_.seconds->Observe(absl::ToDoubleSeconds(last_duration_));
    metrics_.last_seconds->Observe(absl::ToDoubleSeconds(last_duration_));
  }
  if (status.ok()) {
    sink_.Found(*std::move(found));
    return {.most = std::min(refresh_interval_, poller_->AskAgainIn())};
  }
  metrics_.failures->Increment();
  if (found.ok()) {
    sink_.FoundPart(*std::move(found), status);
  } else {
    sink_.Failed(status);
  }
  const std::uint64_t doublings = std::min(failures - 1, kMaxDoublings);
  const absl::Duration wished = poller_->RetryAfter();
  const absl::Duration backoff = kFirstRetry * (std::uint64_t{1} << doublings);
  return {.least = wished, .most = std::max(wished, std::min(refresh_interval_, backoff))};
}

nlohmann::json PolledSource::DebugState() const {
  nlohmann::json state = poller_->DebugState();
  absl::MutexLock lock(&mutex_);
  state["refresh_interval"] = absl::FormatDuration(refresh_interval_);
  state["failures"] = failures_;
  state["last_duration"] = absl::FormatDuration(last_duration_);
  state["last_pause"] = absl::FormatDuration(last_pause_);
  if (last_success_ != absl::InfinitePast()) {
    state["last_success"] = absl::FormatTime(absl::RFC3339_sec, last_success_, absl::UTCTimeZone());
  }
  return state;
}

}  // namespace stoker::discovery
