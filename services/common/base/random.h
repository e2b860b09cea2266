#pragma once

#include <cstdint>

namespace stoker {

// Uniform random numbers: jitter, ids. A test gives a sequence of its own. Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t Next() = 0;

  // Uniform in [0, 1).
  double NextDouble() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
};

// The kernel's generator (getrandom).
class SystemRandom final : public Random {
 public:
  std::uint64_t Next() override;
};

}  // namespace stoker
