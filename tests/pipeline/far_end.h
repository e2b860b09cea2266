#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "services/forwarder/push_client.h"

namespace stoker::pipeline {

// What the forwarder pushes to: takes each profile ID once, as the store does, and counts samples.
class FarEnd {
 public:
  enum class Mood {
    kTakes,
    // Answers 503.
    kUnavailable,
    // Takes profiles, and its answers never come.
    kSilent,
  };

  // Borrows this.
  std::unique_ptr<forwarder::PushClient> NewClient();

  // Answers the requests that wait.
  void Answer();
  // The forwarder is gone, and with it whoever waited for answers.
  void ForgetRequests() { requests_.clear(); }

  Mood mood = Mood::kTakes;

  // Samples (value / period) of the profiles taken, by service_name.
  [[nodiscard]] const std::map<std::string, std::uint64_t>& samples() const { return samples_; }
  [[nodiscard]] std::uint64_t TotalSamples() const;
  // Profiles that came again.
  [[nodiscard]] int replays() const { return replays_; }

 private:
  class Client;
  struct Request {
    std::string body;
    std::function<void(forwarder::HttpAnswer)> done;
  };
  void Take(const std::string& body);

  std::vector<Request> requests_;
  std::set<std::string> ids_;
  std::map<std::string, std::uint64_t> samples_;
  int replays_ = 0;
};

}  // namespace stoker::pipeline
