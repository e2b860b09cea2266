#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "services/common/http/message.h"

namespace stoker::http {

// How much memory the bodies of all requests of a server may take together, those that are still
// coming and those whose handler runs. Thread-safe.
class BodyBudget {
 public:
  explicit BodyBudget(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  // Takes nothing where it would be too much.
  bool TryTake(std::size_t bytes);
  void Give(std::size_t bytes) { taken_ -= bytes; }

 private:
  const std::size_t max_bytes_;
  std::atomic<std::size_t> taken_ = 0;
};

// A body that is being received. It takes from the budget what it occupies, never what its sender
// only promises, and gives it back when it, or the request that it became, goes. Not thread-safe.
class BodyBuffer {
 public:
  // `budget` is borrowed and outlives the requests too.
  BodyBuffer(BodyBudget& budget, std::size_t max_bytes) : budget_(&budget), max_bytes_(max_bytes) {}

  enum class Result {
    kAdded,
    // More than `max_bytes`.
    kTooLarge,
    // All bodies together take what they may.
    kNoRoom,
  };
  // What was there is gone where the result is not kAdded.
  Result Append(std::string_view bytes);

  // Makes it the body of `request`; the buffer is empty then.
  void MoveTo(Request& request);

 private:
  // Its part of the budget.
  struct Lease {
    ~Lease() { budget->Give(bytes); }
    BodyBudget* budget;
    std::size_t bytes = 0;
  };

  Result Drop(Result result);

  BodyBudget* budget_;
  std::size_t max_bytes_;
  std::string bytes_;
  std::shared_ptr<Lease> lease_;
};

}  // namespace stoker::http
