#include "services/common/base/status.h"

#include <cerrno>
#include <memory>

#include <gtest/gtest.h>

namespace stoker {
namespace {

absl::StatusOr<std::unique_ptr<int>> Parse(bool ok) {
  if (!ok) return InvalidArgument("line {}: bad {}", 3, "word");
  return std::make_unique<int>(7);
}

absl::StatusOr<int> Twice(bool ok) {
  STOKER_ASSIGN_OR_RETURN(const std::unique_ptr<int> value, Parse(ok));
  return 2 * *value;
}

// The macro hands on the error unchanged and moves the value out.
TEST(StatusTest, AssignOrReturn) {
  EXPECT_EQ(*Twice(true), 14);
  EXPECT_EQ(Message(Twice(false).status()), "line 3: bad word");
  EXPECT_EQ(Twice(false).status().code(), absl::StatusCode::kInvalidArgument);
}

// errno chooses the code; the context comes first.
TEST(StatusTest, ErrnoError) {
  const absl::Status status = ErrnoError(ENOENT, "open /proc/1/exe");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Message(status), "open /proc/1/exe: No such file or directory");
}

// Context is put before the message; an OK status has none.
TEST(StatusTest, WithContext) {
  EXPECT_EQ(Message(WithContext(NotFound("no row"), "series 4")), "series 4: no row");
  EXPECT_TRUE(WithContext(absl::OkStatus(), "series 4").ok());
}

}  // namespace
}  // namespace stoker
