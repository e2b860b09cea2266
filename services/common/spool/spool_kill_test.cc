#include <cstdint>
#include <filesystem>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <absl/synchronization/notification.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/common/base/unique_fd.h"
#include "services/common/spool/committer.h"
#include "services/common/spool/spool.h"

namespace stoker::spool {
namespace {

constexpr int kKills = 200;

// What a process says of a record, before it can be killed for it: accepted, or about to be done.
struct Report {
  std::uint64_t accepted;
  std::uint64_t id;
};

Options SpoolOptions(const std::string& folder) {
  return {.folder = folder, .segment_bytes = 256 << 10, .reserve_bytes = 64 << 10};
}

void Say(int fd, const Report& report) {
  if (::write(fd, &report, sizeof(report)) != sizeof(report)) ::_exit(1);
}

std::uint64_t IdOf(const std::string& payload) { return std::stoull(payload); }

// The life of the process that is killed: four producers and a consumer, until the end.
[[noreturn]] void Work(const std::string& folder, std::uint64_t life, int reports) {
  SystemEnv env;
  SystemClock clock;
  metrics::Registry registry;
  auto spool = Spool::Open(SpoolOptions(folder), {"a"}, env, clock, Metrics(registry, "test"), {});
  if (!spool.ok()) ::_exit(2);
  Committer committer(**spool);
  std::vector<std::thread> producers;
  for (std::uint64_t producer = 0; producer < 4; ++producer) {
    producers.emplace_back([&, producer] {
      for (std::uint64_t n = 0;; ++n) {
        const std::uint64_t id = (life * 4 + producer) * 1'000'000 + n;
        absl::Notification answered;
        (*spool)->Append(std::to_string(id) + " " + std::string(id % 5'000, 'x'), 1,
                         [&](const absl::Status& status) {
                           if (status.ok()) Say(reports, {1, id});
                           answered.Notify();
                         });
        answered.WaitForNotification();
      }
    });
  }
  while (true) {
    const auto records = (*spool)->Read("a", 16, 1 << 20);
    if (!records.ok()) ::_exit(3);
    for (const auto& record : *records) {
      if (record.sequence % 3 == 0) Say(reports, {0, IdOf(record.payload)});
      if (record.sequence % 3 == 0) (*spool)->Done("a", record.sequence);
    }
    if (records->empty()) std::this_thread::yield();
  }
}

class Oracle {
 public:
  // Reads what the process says until its end, kills it `after` its first word.
  void Follow(pid_t child, int reports, std::chrono::microseconds after) {
    bool alive = true;
    auto deadline = std::chrono::steady_clock::time_point::max();
    while (true) {
      const auto now = std::chrono::steady_clock::now();
      if (alive && now >= deadline) {
        ::kill(child, SIGKILL);
        alive = false;
      }
      pollfd ready{.fd = reports, .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, alive ? 1 : -1) <= 0) continue;
      Report report{};
      if (::read(reports, &report, sizeof(report)) != sizeof(report)) return;
      (report.accepted != 0 ? accepted : delivered).insert(report.id);
      deadline = std::min(deadline, now + after);
    }
  }

  std::set<std::uint64_t> accepted;
  std::set<std::uint64_t> delivered;
};

// A process is killed 200 times at random instants of its work; no record that it answered is lost.
TEST(SpoolKillTest, LosesNothingAccepted) {
  const std::string folder = std::filesystem::path(::testing::TempDir()) / "killed_spool";
  std::filesystem::remove_all(folder);
  std::mt19937_64 random(1);
  Oracle oracle;
  for (std::uint64_t life = 0; life < kKills; ++life) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) Work(folder, life, write_end.get());
    write_end.reset();
    oracle.Follow(child, read_end.get(), std::chrono::microseconds(random() % 15'000));
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit status " << WEXITSTATUS(status);
  }

  SystemEnv env;
  SystemClock clock;
  metrics::Registry registry;
  auto spool = Spool::Open(SpoolOptions(folder), {"a"}, env, clock, Metrics(registry, "test"), {});
  ASSERT_TRUE(spool.ok()) << spool.status();
  for (auto records = (*spool)->Read("a", 1000, 1 << 24); records.ok() && !records->empty();
       records = (*spool)->Read("a", 1000, 1 << 24)) {
    for (const auto& record : *records) oracle.delivered.insert(IdOf(record.payload));
  }
  std::size_t missing = 0;
  for (const std::uint64_t id : oracle.accepted) missing += oracle.delivered.contains(id) ? 0 : 1;
  EXPECT_EQ(missing, 0);
  EXPECT_GT(oracle.accepted.size(), kKills);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace stoker::spool
