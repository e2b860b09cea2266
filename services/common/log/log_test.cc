#include "services/common/log/log.h"

#include <gtest/gtest.h>

namespace stoker::log {
namespace {

// Values with blanks, quotes or nothing in them are quoted; numbers are bare.
TEST(LogTest, Logfmt) {
  EXPECT_EQ(FormatLine(Format::kLogfmt, "T", Level::kWarn, "store", "segment sealed",
                       {{"bytes", 42}, {"path", "/a b"}, {"why", ""}, {"text", "say \"x\"\n"}}),
            "ts=T level=warn service=store msg=\"segment sealed\" bytes=42 path=\"/a b\" why=\"\" "
            "text=\"say \\\"x\\\"\\n\"");
}

// JSON keeps the order of fields, and replaces bytes that are not UTF-8.
TEST(LogTest, Json) {
  EXPECT_EQ(FormatLine(Format::kJson, "T", Level::kInfo, "store", "opened", {{"name", "a\xff"}}),
            "{\"ts\":\"T\",\"level\":\"info\",\"service\":\"store\",\"msg\":\"opened\","
            "\"name\":\"a\xEF\xBF\xBD\"}");
}

}  // namespace
}  // namespace stoker::log
