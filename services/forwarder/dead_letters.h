#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "services/common/base/clock.h"
#include "services/common/base/env.h"

namespace stoker::forwarder {

// Profiles that an endpoint refused for good, kept in a folder for whoever wants to know: a
// serialized stoker.profile.v1.Profile in `<time>.profile`, why and where in `<time>.reason`. Past
// its limit the oldest go. One thread.
class DeadLetters {
 public:
  DeadLetters(Env& env, const Clock& clock, std::string folder, std::uint64_t max_bytes);

  void Add(std::string_view profile, const std::string& reason);

  [[nodiscard]] std::size_t size() const { return letters_.size(); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  struct Letter {
    std::string name;
    std::uint64_t bytes = 0;
  };
  void Load();
  bool Write(const std::string& path, std::string_view contents);
  void RemoveOldest();

  Env& env_;
  const Clock& clock_;
  const std::string folder_;
  const std::uint64_t max_bytes_;
  std::deque<Letter> letters_;
  std::uint64_t bytes_ = 0;
  std::int64_t last_name_ = 0;
};

}  // namespace stoker::forwarder
