#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/push/v1/push.pb.h"
#include "services/common/base/unique_fd.h"
#include "services/common/pprof/gzip.h"
#include "services/store/profile_maker.h"
#include "services/store/store_process.h"

namespace stoker::store {
namespace {

constexpr char kPush[] = "/push.v1.PusherService/Push";
constexpr char kProto[] = "Content-Type: application/proto";

UniqueFd ConnectTo(int port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

std::string Request(const std::string& raw) {
  push::v1::PushRequest request;
  push::v1::RawProfileSeries* const series = request.add_series();
  for (const auto& [name, text] : {std::pair("__name__", "process_cpu"), std::pair("a", "b")}) {
    types::v1::LabelPair* const pair = series->add_labels();
    pair->set_name(name);
    pair->set_value(text);
  }
  series->add_samples()->set_raw_profile(raw);
  return request.SerializeAsString();
}

// The most that the process had in memory at once, in MiB.
long PeakMiB(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stol(line.substr(6)) / 1024;
  }
  return -1;
}

// A thousand idle connections, senders that promise 100 MB and stop, bodies of 100 MB and bombs of
// both layers of compression, all at once and again and again: memory stays below a fixed bound,
// good pushes get through, and the store then ends in order.
TEST(MemoryTest, StaysBounded) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
  // Short: paths of Unix sockets hold 107 bytes.
  char folder[] = "/tmp/stoker-mem-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  StoreProcess store(folder, {});
  ASSERT_TRUE(store.Ready());

  std::vector<UniqueFd> idle;
  for (int i = 0; i < 1'000; ++i) idle.push_back(ConnectTo(store.port()));
  const std::string promise = std::string("POST ") + kPush +
                              " HTTP/1.1\r\nHost: a\r\nContent-Type: application/proto\r\n"
                              "Content-Length: 104857600\r\n\r\nx";
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(::write(idle[static_cast<std::size_t>(i)].get(), promise.data(), promise.size()),
              static_cast<ssize_t>(promise.size()));
  }

  const std::string large = Request(std::string(std::size_t{100} << 20, 'x'));
  const std::string zeros(std::size_t{200} << 20, '\0');
  const std::string bomb_of_body = pprof::Gzip(Request(zeros), 6);
  const std::string bomb_of_profile = Request(pprof::Gzip(zeros, 6));
  const auto send = [&](const std::vector<std::string>& fields, const std::string& body) {
    for (int i = 0; i < 3; ++i) {
      const long status = CallHttp(store.url() + kPush, fields, body).status;
      EXPECT_TRUE(status == 400 || status == 429 || status == 503) << status;
    }
  };
  std::vector<std::thread> senders;
  for (int i = 0; i < 4; ++i) {
    senders.emplace_back([&] { send({kProto}, large); });
    senders.emplace_back([&] { send({kProto, "Content-Encoding: gzip"}, bomb_of_body); });
    senders.emplace_back([&] { send({kProto}, bomb_of_profile); });
  }
  const std::string good =
      Request(MakeProfile(absl::ToUnixNanos(absl::Now()), {{.names = {"main"}, .value = 1}}));
  int good_pushes = 0;
  // Where there is no room just then, a sender is told to come again, and there will be.
  for (int tries = 0; good_pushes < 5 && tries < 1'000; ++tries) {
    const long status = CallHttp(store.url() + kPush, {kProto}, good).status;
    ASSERT_TRUE(status == 200 || status == 503) << status;
    good_pushes += status == 200 ? 1 : 0;
    if (status == 503) absl::SleepFor(absl::Milliseconds(50));
  }
  EXPECT_EQ(good_pushes, 5);
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(CallHttp(store.url() + "/ready").status, 200);
  const long peak = PeakMiB(store.pid());
  RecordProperty("peak_mib", static_cast<int>(peak));
  EXPECT_GT(peak, 0);
  EXPECT_LT(peak, 700);
  EXPECT_EQ(store.Stop(), 0);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace stoker::store
