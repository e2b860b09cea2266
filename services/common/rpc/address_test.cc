#include "services/common/rpc/address.h"

#include <gtest/gtest.h>

namespace stoker::rpc {
namespace {

// Hosts, IPv6 in brackets, Unix paths; loopback and sockets are local.
TEST(AddressTest, Forms) {
  EXPECT_TRUE(ParseAddress("127.0.0.1:4041")->is_local());
  EXPECT_EQ(ParseAddress("[::1]:9")->host, "::1");
  EXPECT_TRUE(ParseAddress("[::1]:9")->is_local());
  EXPECT_FALSE(ParseAddress(":4041")->is_local());
  EXPECT_FALSE(ParseAddress("node7:4041")->is_local());
  EXPECT_EQ(ParseAddress("unix:/run/stoker/a.sock")->unix_path, "/run/stoker/a.sock");
}

// What is wrong is named.
TEST(AddressTest, Errors) {
  EXPECT_EQ(ParseAddress("4041").status().message(),
            "address \"4041\": want host:port or unix:/path");
  EXPECT_EQ(ParseAddress("a:70000").status().message(),
            "address \"a:70000\": \"70000\" is not a port");
  EXPECT_EQ(ParseAddress("unix:").status().message(), "address \"unix:\": no path");
}

}  // namespace
}  // namespace stoker::rpc
