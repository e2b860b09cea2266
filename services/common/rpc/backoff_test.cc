#include "services/common/rpc/backoff.h"

#include <gtest/gtest.h>

namespace stoker::rpc {
namespace {

class FixedRandom final : public Random {
 public:
  explicit FixedRandom(std::uint64_t value) : value_(value) {}
  std::uint64_t Next() override { return value_; }

 private:
  const std::uint64_t value_;
};

// The lower ends double up to the cap.
TEST(BackoffTest, LowerEnds) {
  FixedRandom zero(0);
  Backoff backoff(absl::Milliseconds(500), absl::Seconds(3), zero);
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(500));
  EXPECT_EQ(backoff.Next(), absl::Seconds(1));
  EXPECT_EQ(backoff.Next(), absl::Seconds(2));
  EXPECT_EQ(backoff.Next(), absl::Seconds(3));
  EXPECT_EQ(backoff.Next(), absl::Seconds(3));
  backoff.Reset();
  EXPECT_EQ(backoff.Next(), absl::Milliseconds(500));
}

// The upper end is twice the lower, and never past the cap however often it is asked.
TEST(BackoffTest, UpperEnds) {
  FixedRandom ones(~0ULL);
  Backoff backoff(absl::Seconds(1), absl::Minutes(5), ones);
  EXPECT_GT(backoff.Next(), absl::Milliseconds(1999));
  for (int i = 0; i < 100; ++i) EXPECT_LE(backoff.Next(), absl::Minutes(5));
}

}  // namespace
}  // namespace stoker::rpc
