#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <absl/time/time.h>

#include "proto/profile/v1/profile_service.pb.h"
#include "services/common/forwarding/profile_sink.h"
#include "services/symbolizer/profile_assembler.h"
#include "services/symbolizer/source.h"

namespace stoker::symbolizer {

using forwarding::ProfileSink;

// The profiles that the forwarder has not answered. Each is sent again, under its id, after a lost
// connection and when the forwarder says so. Used by one thread.
class Outbox {
 public:
  // A profile's fate: null when it was accepted, else why it was refused for good.
  using Settled = std::function<void(const AssembledProfile&, Interval&,
                                     const profile::v1::Rejected* rejected)>;

  Outbox(ProfileSink& sink, Settled settled) : sink_(sink), settled_(std::move(settled)) {}

  void Add(AssembledProfile profile, std::shared_ptr<Interval> interval);

  // The stream to the forwarder stands, or has ended: answers to what was sent on it are lost.
  void OnConnected();
  void OnLost();
  void OnAnswer(const profile::v1::Answer& answer, absl::Duration now);
  // Sends again what the forwarder put off.
  void Tick(absl::Duration now);

  [[nodiscard]] std::size_t size() const { return items_.size(); }
  [[nodiscard]] bool connected() const { return connected_; }

 private:
  struct Item {
    std::shared_ptr<AssembledProfile> profile;
    std::shared_ptr<Interval> interval;
    // When to send it again; infinite while its answer is awaited or there is no connection.
    absl::Duration send_at = absl::InfiniteDuration();
  };

  void Send(Item& item);

  ProfileSink& sink_;
  const Settled settled_;
  // By profile id.
  std::unordered_multimap<std::string, Item> items_;
  bool connected_ = false;
};

}  // namespace stoker::symbolizer
