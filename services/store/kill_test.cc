#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <absl/time/clock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "proto/push/v1/push.pb.h"
#include "services/store/http_caller.h"
#include "services/store/profile_maker.h"
#include "services/store/store_process.h"

namespace stoker::store {
namespace {

using nlohmann::json;

// Small heads, so that blocks are made and merged all the time.
const std::vector<std::string> kFlags = {"--store.max-log-bytes", "8000",
                                         "--store.maintenance-interval", "5ms"};

// A sender and what of its profiles the store has acknowledged: those before `next`.
struct Sender {
  int number = 0;
  std::int64_t start_nanos = 0;
  std::int64_t next = 0;

  [[nodiscard]] std::string Request(std::int64_t profile) const;
};

std::string Sender::Request(std::int64_t profile) const {
  push::v1::PushRequest request;
  push::v1::RawProfileSeries* const series = request.add_series();
  const std::pair<const char*, const char*> labels[] = {{"__name__", "process_cpu"},
                                                        {"service_name", "app"}};
  for (const auto& [name, text] : labels) {
    types::v1::LabelPair* const pair = series->add_labels();
    pair->set_name(name);
    pair->set_value(text);
  }
  push::v1::RawSample* const sample = series->add_samples();
  // Each profile is worth 1, whatever it holds besides.
  sample->set_raw_profile(
      MakeProfile(start_nanos + profile * 1'000'000 + number,
                  {{.names = {"main", "f" + std::to_string(profile % 50)}, .value = 1}}));
  sample->set_id("profile-" + std::to_string(number) + "-" + std::to_string(profile));
  return request.SerializeAsString();
}

// Pushes until it is answered 200; false when the store is gone. The small heads of this test fill
// faster than they become blocks: 503 is then a request to wait.
bool Push(const std::string& url, const Sender& sender, std::int64_t profile) {
  while (true) {
    const HttpAnswer answer =
        CallHttp(url + "/push.v1.PusherService/Push", {"Content-Type: application/proto"},
                 sender.Request(profile));
    if (answer.status != 503) return answer.status == 200;
    absl::SleepFor(absl::Milliseconds(20));
  }
}

std::int64_t Total(const std::string& url) {
  const std::int64_t now = absl::ToUnixMillis(absl::Now());
  const json request = {{"profileTypeID", "process_cpu:cpu:nanoseconds:cpu:nanoseconds"},
                        {"labelSelector", "{}"},
                        {"start", now - 3'600'000},
                        {"end", now + 60'000}};
  const HttpAnswer answer = CallHttp(url + "/querier.v1.QuerierService/SelectMergeStacktraces",
                                     {"Content-Type: application/json"}, request.dump());
  EXPECT_EQ(answer.status, 200) << answer.body;
  return std::stoll(json::parse(answer.body)["flamegraph"].value("total", "0"));
}

// Blocks that were made so far: their numbers only grow.
std::int64_t BlocksMade(const std::string& dir) {
  std::int64_t last = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(dir + "/data")) {
    if (file.path().extension() != ".block") continue;
    last = std::max<std::int64_t>(last, std::stoll(file.path().stem()));
  }
  return last;
}

// Sends until the store is gone, first some that it has acknowledged already.
void Send(const std::string& url, Sender& sender) {
  for (std::int64_t back = 1; back <= 3 && back <= sender.next; ++back) {
    if (!Push(url, sender, sender.next - back)) return;
  }
  while (Push(url, sender, sender.next)) ++sender.next;
}

// 50 times SIGKILL at random moments while two senders push and blocks are made and merged: every
// profile that was answered 200 is there, none twice, though each unanswered one and some answered
// ones are sent again after the restart.
TEST(KillTest, AcknowledgedOnce) {
  // Short: paths of Unix sockets hold 107 bytes.
  char folder[] = "/tmp/stoker-kill-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string dir = folder;
  std::mt19937 random(1);
  const std::int64_t start = absl::ToUnixNanos(absl::Now());
  Sender senders[] = {{.number = 0, .start_nanos = start}, {.number = 1, .start_nanos = start}};
  for (int round = 0; round < 50; ++round) {
    StoreProcess store(dir, kFlags);
    ASSERT_TRUE(store.Ready());
    if (round % 10 == 9) {
      // Nobody sends: what is acknowledged is all there is, but for what was on its way at a kill.
      const std::int64_t acknowledged = senders[0].next + senders[1].next;
      const std::int64_t total = Total(store.url());
      ASSERT_GE(total, acknowledged);
      ASSERT_LE(total, acknowledged + 2);
    }
    const absl::Duration life = absl::Milliseconds(random() % 600);
    std::thread other([&] { Send(store.url(), senders[1]); });
    std::thread killer([&] {
      absl::SleepFor(life);
      store.Kill();
    });
    Send(store.url(), senders[0]);
    killer.join();
    other.join();
  }
  StoreProcess store(dir, kFlags);
  ASSERT_TRUE(store.Ready());
  for (Sender& sender : senders) {
    EXPECT_TRUE(Push(store.url(), sender, sender.next++));
    EXPECT_GT(sender.next, 50);
  }
  EXPECT_EQ(Total(store.url()), senders[0].next + senders[1].next);
  store.Kill();
  // Kills hit sealing and merging, not only pushes.
  EXPECT_GT(BlocksMade(dir), 50);
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace stoker::store
