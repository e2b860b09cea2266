#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "services/common/base/clock.h"
#include "services/discovery/source.h"
#include "services/discovery/sources/refresh_metrics.h"

namespace stoker::discovery {

// Asks one place for the whole list. Ask is called on one thread; the rest from any.
class Poller {
 public:
  virtual ~Poller() = default;

  // Before the first Ask: `ask_soon`, called on any thread, makes for another Ask ahead of its
  // time.
  virtual void OnStart(std::function<void()> /*ask_soon*/) {}
  // The list as it is now. May wait for a peer, for a bounded time.
  virtual absl::StatusOr<model::TargetVector> Ask() = 0;
  // After an Ask that succeeded: why its list is not whole. On the same thread.
  virtual absl::Status Missing() { return absl::OkStatus(); }
  // After an Ask that succeeded: when to ask again at the latest, should that be before the refresh
  // interval. On the same thread.
  virtual absl::Duration AskAgainIn() { return absl::InfiniteDuration(); }
  // After an Ask that failed: how long the peer asks to be left alone. On the same thread.
  virtual absl::Duration RetryAfter() { return absl::ZeroDuration(); }
  // Ends an Ask that waits, and every later one, soon.
  virtual void Interrupt() = 0;
  // What more /debug/state shows, as members of an object. Thread-safe, does not wait for a peer.
  [[nodiscard]] virtual nlohmann::json DebugState() const { return nlohmann::json::object(); }
};

// A source that asks again every refresh interval; after a failure sooner, from a second on, twice
// as long each time, but not before the peer wishes; and where the poller wishes so at once, if the
// last time is not just over.
class PolledSource final : public Source {
 public:
  // Borrows clock and sink.
  PolledSource(std::unique_ptr<Poller> poller, absl::Duration refresh_interval,
               const RefreshMetrics& metrics, Clock& clock, SourceSink& sink);
  ~PolledSource() override;

  [[nodiscard]] nlohmann::json DebugState() const override;

 private:
  // Until the next Ask: `most`, and where that is wished for ahead of its time `least`.
  struct Pause {
    absl::Duration least;
    absl::Duration most;
  };

  void Run();
  Pause AskOnce();
  // False when the source ends.
  bool Wait(Pause pause);
  void AskSoon();

  std::unique_ptr<Poller> poller_;
  const absl::Duration refresh_interval_;
  const RefreshMetrics metrics_;
  Clock& clock_;
  SourceSink& sink_;

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Ask did not begin since AskSoon.
  bool ask_soon_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time last_success_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  // In a row.
  std::uint64_t failures_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration last_duration_ ABSL_GUARDED_BY(mutex_);
  // After it, or now.
  absl::Duration last_pause_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace stoker::discovery
