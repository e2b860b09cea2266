#include "services/forwarder/dead_letters.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/testing/fake_clock.h"
#include "services/common/testing/mem_env.h"

namespace stoker::forwarder {
namespace {

// The folder never holds more than its limit, before and after a restart; the newest stay.
TEST(DeadLettersTest, KeepsTheNewestWithinTheLimit) {
  testing::MemEnv env;
  const testing::FakeClock clock;
  for (int life = 0; life < 3; ++life) {
    DeadLetters letters(env, clock, "/dead", 1'000);
    for (int i = 0; i < 20; ++i) {
      letters.Add(std::string(180, 'p'), "reason " + std::to_string(life * 100 + i));
      EXPECT_LE(env.UsedBytes(), 1'100);
    }
    EXPECT_GE(letters.size(), 4);
  }
  const auto paths = env.Paths();
  EXPECT_EQ(env.Contents(paths.back()), "reason 219");
}

// One that is larger than the folder may be is not kept, and nothing else goes for it.
TEST(DeadLettersTest, RefusesWhatIsTooLarge) {
  testing::MemEnv env;
  const testing::FakeClock clock;
  DeadLetters letters(env, clock, "/dead", 1'000);
  letters.Add("profile", "reason");
  letters.Add(std::string(2'000, 'p'), "reason");
  EXPECT_EQ(letters.size(), 1);
}

}  // namespace
}  // namespace stoker::forwarder
