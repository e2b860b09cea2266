#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace stoker::store {

// One sample of a made profile.
struct MadeSample {
  // Function names, the root first.
  std::vector<std::string> names;
  std::int64_t value = 0;
  // The label "thread"; "" for none.
  std::string thread;
};

// A bare pprof of type cpu/nanoseconds for tests.
std::string MakeProfile(std::int64_t time_nanos, const std::vector<MadeSample>& samples);

}  // namespace stoker::store
