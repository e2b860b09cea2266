#include "services/cli/reloader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/base/status.h"
#include "services/common/testing/fake_clock.h"

namespace stoker::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ReloaderTest : public ::testing::Test {
 protected:
  Reloader::Parts Parts() {
    return {.check = [this] { return checked_; },
            .write =
                [this](const std::string& snapshot) {
                  written_.push_back(snapshot);
                  return absl::OkStatus();
                },
            .tell =
                [this](const std::string& process) {
                  told_.push_back(process);
                  return process == refusing_ ? InvalidArgument("no") : absl::OkStatus();
                },
            .socket_group = [](const std::string& socket) -> std::optional<gid_t> {
              if (socket == "/open") return std::nullopt;
              return socket == "/other" ? 8 : 7;
            }};
  }

  const CheckedConfiguration first_{.types = {"discovery.process"},
                                    .docker_sockets = {"/docker"},
                                    .snapshot = "1",
                                    .hash = "hash-1",
                                    .warnings = {}};
  absl::StatusOr<CheckedConfiguration> checked_ = first_;
  std::vector<std::string> written_;
  std::vector<std::string> told_;
  std::string refusing_;
  testing::FakeClock clock_;
  Reloader reloader_{Parts(), {"forwarder", "discovery"}, false, first_, clock_};
};

// A good configuration is written, then every process told.
TEST_F(ReloaderTest, Reloads) {
  checked_->snapshot = "2";
  checked_->hash = "hash-2";
  EXPECT_EQ(reloader_.Reload(), absl::OkStatus());
  EXPECT_THAT(written_, ElementsAre("2"));
  EXPECT_THAT(told_, ElementsAre("forwarder", "discovery"));
  EXPECT_EQ(reloader_.State()["hash"], "hash-2");
}

// A broken one changes nothing, and the state says so.
TEST_F(ReloaderTest, RefusesBroken) {
  checked_ = InvalidArgument("a.alloy:1:1: expected");
  EXPECT_EQ(reloader_.Reload().message(), "a.alloy:1:1: expected");
  EXPECT_THAT(written_, IsEmpty());
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_EQ(reloader_.State()["hash"], "hash-1");
  EXPECT_EQ(reloader_.State()["last_load_successful"], false);
  EXPECT_EQ(reloader_.State()["last_load_error"], "a.alloy:1:1: expected");
}

// What needs a process that does not run is refused whole.
TEST_F(ReloaderTest, RefusesWhatNeedsMore) {
  checked_->types.emplace_back("pyroscope.ebpf");
  EXPECT_THAT(std::string(reloader_.Reload().message()), HasSubstr("stoker-"));
  EXPECT_THAT(written_, IsEmpty());
}

// A Docker socket whose group discovery was not started with is refused, and says so; others are
// not.
TEST_F(ReloaderTest, RefusesGroups) {
  checked_->docker_sockets = {"/docker", "/second", "/open"};
  EXPECT_EQ(reloader_.Reload(), absl::OkStatus());
  written_.clear();
  checked_->docker_sockets = {"/other"};
  EXPECT_EQ(reloader_.Reload().message(),
            "the configuration needs stoker-discovery in group 8, for the socket /other; start "
            "`stoker run` again");
  EXPECT_THAT(written_, IsEmpty());
}

// One process that refuses is named; the others are told all the same.
TEST_F(ReloaderTest, NamesTheProcess) {
  refusing_ = "forwarder";
  EXPECT_EQ(reloader_.Reload().message(), "forwarder: no");
  EXPECT_THAT(told_, ElementsAre("forwarder", "discovery"));
}

}  // namespace
}  // namespace stoker::cli
