#include "services/discovery/user_names.h"

#include <gtest/gtest.h>

#include "services/common/testing/fake_clock.h"

namespace stoker::discovery {
namespace {

// The name of a known user; none for a uid that nobody has.
TEST(UserNamesTest, Asks) {
  testing::FakeClock clock;
  UserNames names(clock);
  EXPECT_EQ(names.NameOf(0), "root");
  EXPECT_EQ(names.NameOf(4'000'000'123), "");
  EXPECT_EQ(names.NameOf(0), "root");
}

}  // namespace
}  // namespace stoker::discovery
