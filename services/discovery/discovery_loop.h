#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <nlohmann/json.hpp>

#include "services/common/base/clock.h"
#include "services/discovery/discovery.h"
#include "services/discovery/metrics.h"
#include "services/discovery/process_scanner.h"

namespace stoker::discovery {

// A consumer's end of a stream. Its methods are called on the loop's thread.
class StreamSink {
 public:
  virtual ~StreamSink() = default;

  // Starts to send a message; the loop sends no other before it hears Sent.
  virtual void Send(const TargetChange& change) = 0;
  // Starts to end the stream; nothing follows.
  virtual void End(const absl::Status& status) = 0;
};

// The thread that owns the core: it looks at the processes, brings the lists up to date and feeds
// the streams. Its methods may be called from any thread, and do not block but where they say so.
class DiscoveryLoop {
 public:
  // Borrows all of them until destroyed.
  DiscoveryLoop(Discovery& core, ProcessScanner& scanner, Clock& clock, Metrics& metrics);
  // Does what is left to do, then ends the thread. Every sink is closed by then.
  ~DiscoveryLoop();
  DiscoveryLoop(const DiscoveryLoop&) = delete;
  DiscoveryLoop& operator=(const DiscoveryLoop&) = delete;

  void SetPlan(PlanPtr plan);

  // A new consumer. The loop owns the sink, and destroys it after Closed, the last that the sink's
  // side says.
  void Open(std::unique_ptr<StreamSink> sink, Discovery::ListName list, Discovery::Scope scope);
  // What Send started is done, or failed.
  void Sent(StreamSink* sink);
  // The consumer is gone or goes: the stream is to end.
  void Cancelled(StreamSink* sink);
  void Closed(StreamSink* sink);

  // Ends all streams with UNAVAILABLE and refuses new ones.
  void EndStreams();

  // The core's state; waits for the thread, 2 s at most.
  nlohmann::json DebugState();

 private:
  struct Stream {
    std::unique_ptr<StreamSink> sink;
    // None where the core refused it or it ended.
    std::optional<Discovery::StreamId> id;
    bool sending = false;
    // How it is to end: at once, or when what is being sent has been.
    std::optional<absl::Status> end;
    bool ended = false;
  };

  void Post(std::function<void()> task);
  void Run();
  void RunTasks(absl::Duration until);
  // Looks at the processes if it is time.
  void Scan();
  // Sends what may be sent; returns when there is more to send.
  absl::Duration Feed();
  void FeedOne(Stream& stream, absl::Duration& next);
  void End(Stream& stream, const absl::Status& status);
  void LogDenied(const ProcessScanner::Counts& counts);

  Discovery& core_;
  ProcessScanner& scanner_;
  Clock& clock_;
  Metrics& metrics_;

  absl::Mutex mutex_;
  // Bounded by the streams: each has few tasks under way.
  std::vector<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  // The rest belongs to the thread.
  std::map<StreamSink*, Stream> streams_;
  bool refusing_ = false;
  absl::Duration next_scan_ = absl::ZeroDuration();
  std::uint64_t failed_before_ = 0;
  bool denied_logged_ = false;

  std::thread thread_;
};

}  // namespace stoker::discovery
