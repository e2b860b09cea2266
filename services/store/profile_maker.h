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

// A pprof as a busy process gives it: `samples` stacks out of a program of 3,000 functions that the
// number `program` chooses. The program has 40,000 stacks, of which 2,000 are taken mostly.
std::string MakeBusyProfile(std::int64_t time_nanos, unsigned program, unsigned profile,
                            int samples);

}  // namespace stoker::store
