#include "services/common/http/shown_url.h"

#include <gtest/gtest.h>

namespace stoker::http {
namespace {

// What may be secret is left out, what says where is not.
TEST(ShownUrlTest, LeavesSecretsOut) {
  EXPECT_EQ(ShownUrl("http://me:secret@example.com/a/b?token=secret#c"),
            "http://example.com:80/a/b");
  EXPECT_EQ(ShownUrl("https://[::1]:8443/"), "https://[::1]:8443/");
  EXPECT_EQ(ShownUrl("me:secret@"), "(bad URL)");
}

}  // namespace
}  // namespace stoker::http
