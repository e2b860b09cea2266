// Code objects of other processes come through the sandbox; a process that has ended, or whose
// memory never comes, costs its own names only.
#include "services/collector/ebpf/python/code_reader.h"

#include <csignal>
#include <cstring>
#include <sstream>
#include <string>

#include <absl/time/clock.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/collector/ebpf/python/code_job.h"
#include "services/common/sandbox/worker.h"

namespace stoker::ebpf {
namespace {

using Outcome = PythonCodeSource::Outcome;

// A process with the memory of this one.
class Child {
 public:
  Child() : pid_(fork()) {
    if (pid_ != 0) return;
    while (true) pause();
  }
  ~Child() { End(); }
  void End() {
    if (pid_ == 0) return;
    kill(pid_, SIGKILL);
    waitpid(std::exchange(pid_, 0), nullptr, 0);
  }
  [[nodiscard]] procfs::ProcessKey key() const {
    const auto process = procfs::ProcessReader().Read(pid_, 0);
    return process.ok() ? process->key : procfs::ProcessKey{};
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

// A code object as 3.11 has it, in this process' memory and so in its children's.
class FakeCode {
 public:
  FakeCode() {
    const std::uint64_t length = 4;
    // One byte a character, compact, ascii.
    const std::uint32_t state = 1 << 2 | 1 << 5 | 1 << 6;
    std::memcpy(name_ + layout_->str_length, &length, 8);
    std::memcpy(name_ + layout_->str_state, &state, 4);
    std::memcpy(name_ + layout_->str_ascii, "main", 4);
    const auto name = reinterpret_cast<std::uint64_t>(name_);
    std::memcpy(code_ + layout_->qualname, &name, 8);
    std::memcpy(code_ + layout_->filename, &name, 8);
    const std::int32_t line = 3;
    std::memcpy(code_ + layout_->first_line, &line, 4);
  }
  [[nodiscard]] std::uint64_t address() const { return reinterpret_cast<std::uint64_t>(code_); }
  [[nodiscard]] std::shared_ptr<const PythonCodeLayout> layout() const { return layout_; }

 private:
  const std::shared_ptr<const PythonCodeLayout> layout_ =
      std::make_shared<const PythonCodeLayout>(FindPythonCodeLayout(0x030b).value());
  char name_[128] = {};
  char code_[256] = {};
};

class CodeReaderTest : public ::testing::Test {
 protected:
  PythonCodeSource::Answer Await() {
    while (answers_.empty()) {
      answers_ = reader_.TakeAnswers();
      absl::SleepFor(absl::Milliseconds(1));
    }
    const PythonCodeSource::Answer answer = answers_.front();
    answers_.erase(answers_.begin());
    return answer;
  }
  bool Ask(std::uint64_t ticket, const procfs::ProcessKey& process, std::uint64_t address) {
    return reader_.Request(
        {.ticket = ticket, .process = process, .layout = code_.layout(), .codes = {{address, 3}}});
  }

  FakeCode code_;
  sandbox::Sandbox sandbox_{{}};
  std::vector<PythonCodeSource::Answer> answers_;
  PythonCodeReader reader_{sandbox_};
};

TEST_F(CodeReaderTest, ReadsAStoppedProcess) {
  const Child child;
  kill(child.pid(), SIGSTOP);
  ASSERT_TRUE(Ask(7, child.key(), code_.address()));
  const auto answer = Await();
  EXPECT_EQ(answer.ticket, 7u);
  ASSERT_EQ(answer.outcome, Outcome::kRead);
  EXPECT_EQ(answer.codes.codes(0).function(), "main");
  ASSERT_TRUE(Ask(8, child.key(), code_.address() + 8));
  EXPECT_FALSE(Await().codes.codes(0).found());
}

TEST_F(CodeReaderTest, AnEndedProcess) {
  Child child;
  procfs::ProcessKey key = child.key();
  // Another process with that pid.
  ++key.start_ticks;
  ASSERT_TRUE(Ask(1, key, code_.address()));
  EXPECT_EQ(Await().outcome, Outcome::kProcessEnded);
  --key.start_ticks;
  child.End();
  ASSERT_TRUE(Ask(2, key, code_.address()));
  EXPECT_EQ(Await().outcome, Outcome::kProcessEnded);
}

// A page that only its process brings in, which does not.
TEST_F(CodeReaderTest, MemoryThatNeverComes) {
  const auto fault = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC));
  if (fault < 0) GTEST_SKIP() << "userfaultfd: " << std::strerror(errno);
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uffdio_api api = {.api = UFFD_API, .features = 0, .ioctls = 0};
  ASSERT_EQ(ioctl(fault, UFFDIO_API, &api), 0);
  uffdio_register range = {.range = {reinterpret_cast<std::uint64_t>(page), 4096},
                           .mode = UFFDIO_REGISTER_MODE_MISSING,
                           .ioctls = 0};
  ASSERT_EQ(ioctl(fault, UFFDIO_REGISTER, &range), 0);
  const Child other;
  ASSERT_TRUE(Ask(1, procfs::ProcessReader().Read(getpid(), 0)->key,
                  reinterpret_cast<std::uint64_t>(page)));
  ASSERT_TRUE(Ask(2, other.key(), code_.address()));
  const auto hung = Await();
  EXPECT_EQ(hung.ticket, 1u);
  // Some kernels answer such a read with an error at once.
  EXPECT_FALSE(hung.outcome == Outcome::kRead && hung.codes.codes(0).found());
  const auto answer = Await();
  ASSERT_EQ(answer.outcome, Outcome::kRead);
  EXPECT_EQ(answer.codes.codes(0).function(), "main");
  close(fault);
}

}  // namespace
}  // namespace stoker::ebpf

int main(int argc, char** argv) {
  using namespace stoker;
  const sandbox::Jobs jobs = {{ebpf::kPythonCodeJob, ebpf::PythonCodeJob}};
  if (sandbox::IsWorker(argc, argv)) return sandbox::RunWorker(argv, jobs);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
