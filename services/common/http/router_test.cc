#include "services/common/http/router.h"

#include <gtest/gtest.h>

namespace stoker::http {
namespace {

Handler Says(std::string text) {
  return [text = std::move(text)](const Request&) { return Text(200, text); };
}

Response Get(const Router& router, std::string path, std::string method = "GET") {
  return router.Route({.method = std::move(method), .path = std::move(path)});
}

// An exact path wins over a folder, a longer folder over a shorter.
TEST(RouterTest, ExactThenLongestFolder) {
  Router router;
  router.Add("GET", "/", Says("root"));
  router.Add("GET", "/assets/", Says("assets"));
  router.Add("GET", "/assets/app.js", Says("app"));
  EXPECT_EQ(Get(router, "/assets/app.js").body, "app");
  EXPECT_EQ(Get(router, "/assets/x/y").body, "assets");
  EXPECT_EQ(Get(router, "/other").body, "root");
}

// A known path with another method is 405 and says what is allowed.
TEST(RouterTest, MethodNotAllowed) {
  Router router;
  router.Add("POST", "/push", Says("pushed"));
  const Response response = Get(router, "/push");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.headers.Get("allow"), "POST");
  EXPECT_EQ(Get(router, "/nothing").status, 404);
}

}  // namespace
}  // namespace stoker::http
