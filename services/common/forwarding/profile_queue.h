#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <absl/time/time.h>

#include "proto/profile/v1/profile_service.pb.h"
#include "services/common/base/clock.h"
#include "services/common/forwarding/profile_sink.h"
#include "services/common/forwarding/profile_spool.h"
#include "services/common/metrics/registry.h"
#include "services/common/metrics/stage.h"

namespace stoker::forwarding {

// The profiles of a producer that the forwarder has not accepted. Each is sent again, under its id,
// after a lost connection and when the forwarder says so.
//
// They are kept in memory. What would be too much there, everything once the forwarder has been
// away for a moment, and what is left at the end go to the spool, if there is one; from it they are
// sent when the forwarder is back, after the newer ones. Without it, or when the disk refuses, the
// oldest go past the bound and are counted as `queue_full`.
//
// Used by one thread; time is what the caller gives, by the monotonic clock.
class ProfileQueue {
 public:
  // How long the forwarder may be away before everything goes to disk: a restart of it takes less.
  static constexpr absl::Duration kPatience = absl::Seconds(2);

  // Called once the forwarder has accepted the profile.
  using Accepted = std::function<void(absl::Duration waited)>;
  // Called instead where the profile is lost: refused, or too many wait.
  using Lost = std::function<void()>;

  // Borrows all. `queue_bytes` shows what waits in memory.
  ProfileQueue(std::size_t max_bytes, ProfileSink& sink, metrics::Stage& stage,
               prometheus::Gauge& queue_bytes)
      : max_bytes_(max_bytes), sink_(sink), stage_(stage), queue_bytes_(queue_bytes) {}

  struct SpoolOptions {
    // What came from the spool is accepted: its own callbacks may be of an earlier life.
    std::function<void(const std::string& producer, absl::Duration waited)> accepted;
    // Runs an event on the queue's thread, unless it has ended. Thread-safe.
    std::function<void(std::function<void()>)> post;
  };
  // Before the first profile. Borrows both.
  void UseSpool(ProfileSpool& spool, Clock& clock, SpoolOptions options);

  // Neither callback may call the queue. Of what goes to the spool none is called.
  void Add(std::shared_ptr<const profile::v1::Profile> profile, Accepted accepted,
           absl::Duration now, Lost lost = nullptr);

  // The stream to the forwarder stands, or has ended: answers to what was sent on it are lost.
  void OnConnected();
  void OnLost();
  void OnAnswers(const profile::v1::PushResponse& response, absl::Duration now);
  // Sends again what the forwarder put off, writes to the spool and reads from it.
  void Tick(absl::Duration now);
  // Gives all that is in memory to the spool: the end of the process. Answers are ignored then.
  void SpillAll();

  // Profiles in memory, those read from the spool among them.
  [[nodiscard]] std::size_t size() const { return items_.size(); }
  // Profiles that are nowhere else but in memory.
  [[nodiscard]] std::size_t unsaved() const { return unsaved_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] std::uint64_t spilled() const { return spilled_; }

 private:
  enum class Place { kMemory, kBeingWritten, kSpool };
  struct Item {
    std::shared_ptr<const profile::v1::Profile> profile;
    Accepted accepted;
    Lost lost;
    std::size_t bytes = 0;
    absl::Duration added;
    Place place = Place::kMemory;
    // In the spool.
    std::uint64_t sequence = 0;
    // When to send it again; infinite while its answer is awaited or there is no connection.
    absl::Duration send_at = absl::InfiniteDuration();
  };
  using Items = std::list<Item>;

  void Insert(Item item);
  void OnAnswer(const profile::v1::Answer& answer, absl::Duration now);
  void Accept(Items::iterator item, absl::Duration now);
  void Drop(Items::iterator item, std::string_view reason);
  void Remove(Items::iterator item);
  // Drops the oldest, as far as it takes for `bytes` more: what the disk could not take in time.
  void MakeRoom(std::size_t bytes);
  // Its samples are no longer held in memory.
  void Release(const Item& item);

  void SpillSome(absl::Duration now);
  void Spill(Items::iterator item);
  void OnSpilled(Items::iterator item, const absl::Status& status);
  void ReadBack(absl::Duration now);
  void SendPutOff(absl::Duration now);

  const std::size_t max_bytes_;
  ProfileSink& sink_;
  metrics::Stage& stage_;
  prometheus::Gauge& queue_bytes_;
  // Null: none, and then no clock either.
  ProfileSpool* spool_ = nullptr;
  Clock* clock_ = nullptr;
  SpoolOptions spool_options_;

  // Oldest first, but for those read from the spool.
  Items items_;
  std::unordered_map<std::string, Items::iterator> by_id_;
  // Of all items, and of those from the spool.
  std::size_t bytes_ = 0;
  std::size_t read_bytes_ = 0;
  // Items, and their samples, that are not from the spool.
  std::size_t unsaved_ = 0;
  std::uint64_t samples_ = 0;
  // Profiles written since the start.
  std::uint64_t spilled_ = 0;
  // Items that wait to be sent again.
  std::size_t put_off_ = 0;
  bool connected_ = false;
  // By the last Tick.
  absl::Duration now_;
  std::optional<absl::Duration> away_since_;
  // The disk refused: not before, and it was logged.
  absl::Duration next_spill_ = -absl::InfiniteDuration();
  bool refused_ = false;
};

}  // namespace stoker::forwarding
