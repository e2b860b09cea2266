#include "services/common/wire/target.h"

#include <gtest/gtest.h>

namespace stoker::wire {
namespace {

// There and back, nothing changes.
TEST(TargetTest, RoundTrip) {
  const model::Target target{"7", {{"__process_pid__", "1"}, {"a", "x"}}, 4711};
  const auto back = FromProto(ToProto(target));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, target);
}

// Labels that come in no order or empty are put right; a missing id or name is refused.
TEST(TargetTest, ChecksWhatComesIn) {
  target::v1::Target proto = ToProto({"7", {{"b", "1"}}, 0});
  target::v1::Label* label = proto.add_labels();
  label->set_name("a");
  EXPECT_EQ(FromProto(proto)->labels, (model::Labels{{"b", "1"}}));
  label->set_name("");
  EXPECT_EQ(FromProto(proto).status().message(), "target 7: a label of value \"\" has no name");
  proto.set_id("");
  EXPECT_FALSE(FromProto(proto).ok());
}

}  // namespace
}  // namespace stoker::wire
