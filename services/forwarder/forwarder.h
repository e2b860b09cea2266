#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <nlohmann/json.hpp>

#include "proto/profile/v1/profile_service.pb.h"
#include "services/common/base/clock.h"
#include "services/common/base/env.h"
#include "services/common/base/random.h"
#include "services/common/spool/spool.h"
#include "services/forwarder/admission.h"
#include "services/forwarder/endpoint.h"
#include "services/forwarder/metrics.h"
#include "services/forwarder/replays.h"
#include "services/forwarder/settings.h"

namespace stoker::forwarder {

// Makes the client of an endpoint, from its settings.
using PushClientFactory = std::function<absl::StatusOr<std::unique_ptr<PushClient>>(
    const config::PyroscopeWrite::Endpoint&)>;

// Takes profiles, makes them durable, delivers each to every endpoint of its receivers.
//
// It has no thread: one thread calls spool().Commit(), one (the delivery thread) Poll. Push, Apply
// and the others may be called on any.
class Forwarder {
 public:
  struct Options {
    // <folder>/spool and <folder>/dead_letters.
    std::string folder;
    spool::Options spool;
    std::uint64_t dead_letter_bytes = 64 << 20;
  };

  static absl::StatusOr<std::unique_ptr<Forwarder>> Open(Options options, const Settings& settings,
                                                         Env& env, Clock& clock, Random& random,
                                                         metrics::Registry& registry,
                                                         PushClientFactory make_client);

  // Calls `done` with the answer for the profile: accepted once it is durable. A replay of one that
  // was accepted lately is accepted and not sent twice. Never blocks.
  void Push(profile::v1::Profile profile, std::function<void(profile::v1::Answer)> done);

  // New settings. Endpoints that stay keep what they have to send; new ones get what is still in
  // the spool for their component; what only a removed one was missing is dropped and counted. On
  // an error nothing changed.
  absl::Status Apply(const Settings& settings);

  // Delivers. Returns how long nothing will be left to do unless the wakeup rings.
  absl::Duration Poll();
  Wakeup& wakeup() { return wakeup_; }

  spool::Spool& spool() { return *spool_; }
  // Compares the samples counted with those held. After a commit.
  void Audit();

  // A part of /debug/state.
  [[nodiscard]] nlohmann::json State() const;

  // Components and what is wrong with them, "" for nothing.
  [[nodiscard]] std::map<std::string, std::string> Health() const;

 private:
  // An endpoint as the settings want it.
  struct Wanted {
    std::string component;
    PushTarget target;
  };
  using WantedEndpoints = std::map<std::string, Wanted>;

  Forwarder(Options options, Env& env, Clock& clock, Random& random, metrics::Registry& registry,
            PushClientFactory make_client);
  absl::Status Start(Options options, const Settings& settings, Env& env);
  [[nodiscard]] spool::Events SpoolEvents();
  static WantedEndpoints EndpointsOf(const Settings& settings);
  void Replace(const WantedEndpoints& wanted,
               std::map<std::string, std::unique_ptr<PushClient>> clients)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Answer(profile::v1::Answer answer, const absl::Status& durable,
              const std::function<void(profile::v1::Answer)>& done);

  Clock& clock_;
  Random& random_;
  const PushClientFactory make_client_;
  Metrics metrics_;
  Admission admission_;
  Replays replays_;
  Wakeup wakeup_;
  std::unique_ptr<spool::Spool> spool_;

  // Held by the delivery thread while it delivers.
  mutable absl::Mutex mutex_;
  DeadLetters dead_letters_ ABSL_GUARDED_BY(mutex_);
  // By consumer name.
  std::map<std::string, std::unique_ptr<Endpoint>> endpoints_ ABSL_GUARDED_BY(mutex_);
  // As of Settings.
  std::map<std::string, absl::Status> failed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::forwarder
