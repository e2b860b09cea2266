#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include <absl/time/time.h>
#include <nlohmann/json.hpp>

#include "services/common/base/clock.h"
#include "services/common/base/random.h"
#include "services/common/rpc/backoff.h"
#include "services/common/spool/spool.h"
#include "services/forwarder/dead_letters.h"
#include "services/forwarder/mailbox.h"
#include "services/forwarder/metrics.h"
#include "services/forwarder/push_client.h"
#include "services/forwarder/push_outcome.h"
#include "services/forwarder/push_request.h"

namespace stoker::forwarder {

// What endpoints share.
struct Surroundings {
  spool::Spool& spool;
  DeadLetters& dead_letters;
  Wakeup& wakeup;
  Clock& clock;
  Random& random;
};

// Delivers the spool's profiles to one endpoint of a pyroscope.write, a few at a time. A profile
// that fails waits and is sent again while others go on; when nothing succeeds any more the
// endpoint is down, and one profile after the other is tried at growing intervals. A transient
// failure never loses a profile: it stays in the spool until the spool's limits take it. Owned by
// the delivery thread.
class Endpoint {
 public:
  // `consumer`: its name in the spool. `component`: whose profiles it takes.
  Endpoint(std::string consumer, std::string component, PushTarget target,
           std::unique_ptr<PushClient> client, Surroundings around, EndpointMetrics metrics);

  // New settings of the same endpoint. Requests that run end as they began.
  void Update(PushTarget target, std::unique_ptr<PushClient> client);

  // Takes answers, reads the spool, starts requests. Returns how long nothing will be left to do
  // unless the wakeup rings.
  absl::Duration Poll();

  [[nodiscard]] const std::string& consumer() const { return consumer_; }
  [[nodiscard]] const std::string& component() const { return component_; }
  [[nodiscard]] const PushTarget& target() const { return target_; }
  [[nodiscard]] bool down() const { return down_; }
  [[nodiscard]] const std::string& last_error() const { return last_error_; }
  [[nodiscard]] nlohmann::json State() const;

 private:
  // A profile that was read and is not settled.
  struct Open {
    std::uint64_t sequence = 0;
    std::string record;
    // What is left to send of a profile that was split; empty for a whole one.
    std::deque<std::string> parts;
    // Why a part was lost.
    std::string lost_reason;
    bool ingest = false;
    // Of what is being sent.
    std::size_t payload_bytes = 0;
    bool in_flight = false;
    int attempts = 0;
    absl::Duration first_start;
    absl::Duration start;
    // Not sent again before.
    absl::Duration due;
    // What the endpoint had taken when this one first failed.
    std::uint64_t sent_before_failure = 0;
  };
  using OpenList = std::list<Open>;

  void TakeAnswers();
  void OnAnswer(OpenList::iterator open, const HttpAnswer& answer);
  void OnSent(OpenList::iterator open);
  void OnFailure(OpenList::iterator open, const PushOutcome& outcome);
  void OnRefusal(OpenList::iterator open, const std::string& reason, const std::string& message);
  // The profile, or the part of it that was sent, is done with.
  void Settle(OpenList::iterator open);
  static bool Split(Open& open, const profile::v1::Profile& profile);
  void LogRefusal(const std::string& reason, const std::string& message);
  void GoDown(absl::Duration longest_pause);
  void ComeUp();
  [[nodiscard]] bool IsPoison(const Open& open) const;

  // True when the spool may have more at once.
  bool Fill();
  void Take(spool::Spool::Record record);
  void StartDue();
  void Start(Open& open);
  [[nodiscard]] absl::Duration UntilNext() const;

  const std::string consumer_;
  const std::string component_;
  PushTarget target_;
  std::unique_ptr<PushClient> client_;
  // Clients of earlier settings, while requests of theirs run.
  std::vector<std::unique_ptr<PushClient>> retired_;
  Surroundings around_;
  EndpointMetrics metrics_;
  const std::shared_ptr<Mailbox> mailbox_;

  OpenList open_;
  std::size_t open_bytes_ = 0;
  std::size_t in_flight_ = 0;
  std::uint64_t sent_ = 0;

  // Failures since the last success.
  int failures_ = 0;
  bool down_ = false;
  // Nothing starts before.
  absl::Duration paused_until_;
  std::unique_ptr<rpc::Backoff> backoff_;
  std::string last_error_;
  std::string last_refusal_;
  absl::Time last_error_time_;
};

}  // namespace stoker::forwarder
