// Proves on the real kernel that the stacks of programs without frame pointers are the ones that
// gdb finds, to their natural ends.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bpf/live_unwinder.h"

namespace stoker::ebpf {
namespace {

constexpr int kRate = 997;
constexpr char kProgram[] = "tests/fixtures/parked";
constexpr char kLibrary[] = "tests/fixtures/parked_library.so";

// A program that is parked, until the end of the test.
class Parked {
 public:
  explicit Parked(const char* kind) {
    int ends[2];
    if (pipe(ends) != 0) return;
    child_ = fork();
    if (child_ == 0) {
      // vfork's child shares the group, so that both can be ended.
      setpgid(0, 0);
      dup2(ends[1], STDOUT_FILENO);
      execl(kProgram, kProgram, kind, kLibrary, nullptr);
      _exit(127);
    }
    close(ends[1]);
    std::array<char, 32> text{};
    if (read(ends[0], text.data(), text.size() - 1) > 0) pid_ = std::atoi(text.data());
    close(ends[0]);
  }
  ~Parked() {
    kill(-child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  Parked(const Parked&) = delete;
  Parked& operator=(const Parked&) = delete;

  // Where it is parked; 0: it is not.
  [[nodiscard]] int pid() const { return pid_; }

 private:
  pid_t child_ = 0;
  int pid_ = 0;
};

// Whether a stack is as whole as it will be: its tables were there.
bool IsSettled(stoker_stop stop) {
  return stop != STOKER_STOP_PROCESS_ABSENT && stop != STOKER_STOP_TABLE_ABSENT &&
         stop != STOKER_STOP_PAGE_ABSENT;
}

// glibc does not say that a coroutine begins where makecontext made it begin: gdb, too, takes what
// lies there for a caller.
bool HasNaturalEnd(std::string_view kind) { return kind != "coroutine"; }

// The frames that gdb finds, without those that it adds by debug information: of functions that are
// part of others, or have left the stack by jumping.
std::vector<__u64> GdbStack(int pid) {
  const std::string command = absl::StrCat(
      "gdb -q -nx -batch -iex 'set debuginfod enabled off' -ex 'set backtrace past-main on' ",
      "-ex 'set backtrace past-entry on' -ex 'set backtrace limit unlimited' -p ", pid,
      " -ex 'python f = gdb.newest_frame()' "
      "-ex 'python exec(\"while f is not None:\\n"
      " if f.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME): print(\\\"pc\\\", f.pc())\\n"
      " f = f.older()\")' "
      "2>/dev/null");
  std::vector<__u64> frames;
  FILE* output = popen(command.c_str(), "r");
  std::array<char, 256> line{};
  while (output != nullptr && std::fgets(line.data(), line.size(), output) != nullptr) {
    unsigned long long pc = 0;
    if (std::sscanf(line.data(), "pc %llu", &pc) == 1 && pc != 0) frames.push_back(pc);
  }
  if (output != nullptr) pclose(output);
  return frames;
}

class OracleTest : public ::testing::TestWithParam<const char*> {};

TEST_P(OracleTest, TheSampledStackIsTheOneThatGdbFinds) {
  if (geteuid() != 0) GTEST_SKIP() << "BPF needs root";
  std::map<std::pair<std::vector<__u64>, stoker_stop>, int> stacks;
  const Parked parked(GetParam());
  ASSERT_NE(parked.pid(), 0) << kProgram << " cannot be run";
  auto live = LiveUnwinder::Start(
      kRate, ::testing::TempDir() + "/tables", [&](const ProcessPtr&, const RawSample& sample) {
        if (sample.pid != static_cast<std::uint32_t>(parked.pid())) return;
        if (!IsSettled(sample.stop)) return;
        ++stacks[{{sample.user.begin(), sample.user.end()}, sample.stop}];
      });
  ASSERT_TRUE(live.ok()) << live.status();
  const std::uint64_t before = (*live)->sampler().ReadStats()[STOKER_STAT_WALKS];
  for (int i = 0; i < 100 && (stacks.empty() || i < 10); ++i) (*live)->Run(absl::Milliseconds(200));
  (*live)->Stop();
  EXPECT_GT((*live)->sampler().ReadStats()[STOKER_STAT_WALKS], before);
  ASSERT_FALSE(stacks.empty());
  const auto most = std::ranges::max_element(
      stacks, [](const auto& a, const auto& b) { return a.second < b.second; });
  if (HasNaturalEnd(GetParam())) {
    EXPECT_EQ(most->first.second, STOKER_STOP_COMPLETE);
  }
  const std::vector<__u64> expected = GdbStack(parked.pid());
  ASSERT_FALSE(expected.empty()) << "gdb cannot be run";
  EXPECT_EQ(most->first.first, expected);
}

INSTANTIATE_TEST_SUITE_P(Kinds, OracleTest,
                         ::testing::Values("callback", "signal", "fault", "exception", "recursion",
                                           "library", "vfork", "coroutine"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace stoker::ebpf
