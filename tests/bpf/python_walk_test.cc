// Proves on the real kernel that the frames of CPython in a sampled stack are those that the
// program itself says it has, in order, instruction by instruction, among the native frames that
// gdb finds; and that data which makes no sense cuts only its own part.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf/shared/interpreter_frame.h"
#include "services/collector/ebpf/python/interpreters.h"
#include "tests/bpf/live_unwinder.h"

namespace stoker::ebpf {
namespace {

constexpr int kRate = 499;
constexpr char kProgram[] = "tests/fixtures/parked_python.py";
constexpr int kNotKnown = -2;

// A frame of Python as the program has it.
struct PythonFrame {
  std::uint64_t code = 0;
  int first_line = 0;
  int instruction = 0;
  bool operator==(const PythonFrame& other) const {
    return code == other.code && first_line == other.first_line &&
           (instruction == other.instruction || instruction == kNotKnown ||
            other.instruction == kNotKnown);
  }
};

void PrintTo(const PythonFrame& frame, std::ostream* to) {
  *to << fmt::format("{:x}:{}+{}", frame.code, frame.first_line, frame.instruction);
}

// A Python that is parked, until the end of the test.
class Parked {
 public:
  Parked(const std::string& python, const std::string& kind) {
    int ends[2];
    if (pipe(ends) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      execl(python.c_str(), python.c_str(), "-IS", kProgram, kind.c_str(), nullptr);
      _exit(127);
    }
    close(ends[1]);
    std::string text;
    std::array<char, 4096> part{};
    for (;;) {
      const ssize_t count = read(ends[0], part.data(), part.size());
      if (count <= 0) break;
      text.append(part.data(), static_cast<std::size_t>(count));
      if (text.ends_with("end\n")) break;
    }
    close(ends[0]);
    parked_ = text.ends_with("end\n");
    for (const auto& line : absl::StrSplit(text, '\n')) {
      PythonFrame frame;
      unsigned long long code = 0;
      const std::string copy(line);
      if (std::sscanf(copy.c_str(), "frame %llu %d %d", &code, &frame.first_line,
                      &frame.instruction) != 3) {
        continue;
      }
      frame.code = code;
      frames_.push_back(frame);
    }
  }
  ~Parked() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Parked(const Parked&) = delete;
  Parked& operator=(const Parked&) = delete;

  [[nodiscard]] bool parked() const { return parked_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::vector<PythonFrame>& frames() const { return frames_; }

 private:
  pid_t pid_ = 0;
  bool parked_ = false;
  std::vector<PythonFrame> frames_;
};

struct Stack {
  std::vector<__u64> words;
  stoker_stop stop = STOKER_STOP_COMPLETE;
  auto operator<=>(const Stack&) const = default;
};

// The frames of Python among the words.
std::vector<PythonFrame> PythonPart(const std::vector<__u64>& words) {
  std::vector<PythonFrame> frames;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if ((words[i] & STOKER_INTERPRETED) == 0) continue;
    EXPECT_EQ(words[i] >> 56 & 0x7f, STOKER_LANGUAGE_PYTHON);
    const __u64 place = words[++i];
    EXPECT_NE(place & STOKER_INTERPRETED, 0u);
    frames.push_back({.code = words[i - 1] & ((1ull << 56) - 1),
                      .first_line = static_cast<int>(place >> 32 & 0x7fffffff),
                      .instruction = static_cast<int>(static_cast<__u32>(place))});
  }
  return frames;
}

constexpr __u64 kLoop = 0;

// Native frames from the innermost run of the evaluation loop on, each run as one kLoop.
std::vector<__u64> NativePart(const std::vector<__u64>& words) {
  std::vector<__u64> frames;
  for (const __u64 word : words) {
    const bool interpreted = (word & STOKER_INTERPRETED) != 0;
    if (frames.empty() && !interpreted) continue;
    if (!interpreted) frames.push_back(word);
    if (interpreted && (frames.empty() || frames.back() != kLoop)) frames.push_back(kLoop);
  }
  return frames;
}

// As above, as gdb finds it, of the thread that runs.
std::vector<__u64> GdbPart(int pid, bool main_thread) {
  const std::string command = absl::StrCat(
      "gdb -q -nx -batch -iex 'set debuginfod enabled off' -ex 'set backtrace past-main on' ",
      "-ex 'set backtrace past-entry on' -ex 'set backtrace limit unlimited' -p ", pid,
      main_thread ? " -ex 'thread 1'" : " -ex 'thread 2'",
      " -ex 'python f = gdb.newest_frame()' "
      "-ex 'python exec(\"while f is not None:\\n"
      " if f.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME): print(\\\"pc\\\", f.pc(), "
      "f.name())\\n"
      " f = f.older()\")' "
      "2>/dev/null");
  std::vector<__u64> frames;
  for (const auto& line : absl::StrSplit(RunShell(command), '\n')) {
    unsigned long long pc = 0;
    std::array<char, 256> name{};
    const std::string copy(line);
    if (std::sscanf(copy.c_str(), "pc %llu %255s", &pc, name.data()) < 1 || pc == 0) continue;
    const bool loop = std::string_view(name.data()).starts_with("_PyEval_EvalFrameDefault");
    if (frames.empty() && !loop) continue;
    if (!loop) frames.push_back(pc);
    if (loop && (frames.empty() || frames.back() != kLoop)) frames.push_back(kLoop);
  }
  return frames;
}

bool IsSettled(stoker_stop stop) {
  return stop != STOKER_STOP_PROCESS_ABSENT && stop != STOKER_STOP_TABLE_ABSENT &&
         stop != STOKER_STOP_PAGE_ABSENT;
}

// Samples of one process.
class Watch {
 public:
  explicit Watch(pid_t pid, const SamplerKind& kind = kRate) {
    auto live =
        LiveUnwinder::Start(kind, ::testing::TempDir() + "/tables",
                            [this, pid](const ProcessPtr& process, const RawSample& sample) {
                              if (sample.pid != static_cast<std::uint32_t>(pid)) return;
                              process_ = process;
                              if (!IsSettled(sample.stop)) return;
                              ++stacks_[{{sample.user.begin(), sample.user.end()}, sample.stop}];
                            });
    EXPECT_TRUE(live.ok()) << live.status();
    if (live.ok()) live_ = *std::move(live);
  }

  // The commonest stack of those that `wanted` takes; an empty one when none comes in time.
  template <typename Wanted>
  Stack Find(const Wanted& wanted) {
    for (int i = 0; i < 100 && live_ != nullptr; ++i) {
      stacks_.clear();
      live_->Run(absl::Milliseconds(200));
      std::erase_if(stacks_, [&](const auto& entry) { return !wanted(entry.first); });
      if (i < 3 || stacks_.empty()) continue;
      return std::ranges::max_element(stacks_, {}, [](const auto& entry) { return entry.second; })
          ->first;
    }
    return {};
  }

  [[nodiscard]] const Image::Mapping* PythonMapping() const {
    const auto& mappings = process_->image->mappings();
    const auto found = std::ranges::find_if(mappings, [](const Image::Mapping& mapping) {
      return mapping.slot->binary != nullptr && mapping.slot->binary->python != nullptr;
    });
    return found == mappings.end() ? nullptr : &*found;
  }
  // By ELF addresses.
  [[nodiscard]] stoker_python python() const {
    const Image::Mapping* mapping = process_ == nullptr ? nullptr : PythonMapping();
    return mapping == nullptr ? stoker_python{} : mapping->slot->binary->python->walk;
  }

 private:
  std::unique_ptr<LiveUnwinder> live_;
  ProcessPtr process_;
  std::map<Stack, int> stacks_;
};

bool HasPython(const Stack& stack) { return !PythonPart(stack.words).empty(); }

const std::vector<Interpreter>& Interpreters() {
  static const std::vector<Interpreter> found = FindInterpreters();
  return found;
}

using Case = std::tuple<Interpreter, const char*>;
class PythonWalkTest : public ::testing::TestWithParam<Case> {};

TEST_P(PythonWalkTest, TheStackIsWhatTheProgramSays) {
  if (geteuid() != 0) GTEST_SKIP() << "BPF needs root";
  const auto& [python, kind] = GetParam();
  const Parked parked(python.path, kind);
  if (!parked.parked()) GTEST_SKIP() << python.path << " cannot do this";
  Watch watch(parked.pid());
  const Stack stack = watch.Find(HasPython);
  std::vector<PythonFrame> expected = parked.frames();
  const bool whole = expected.size() < 450;
  std::vector<PythonFrame> found = PythonPart(stack.words);
  if (!whole) {
    // As many as there is room for.
    EXPECT_EQ(stack.stop, STOKER_STOP_FRAME_LIMIT);
    EXPECT_GT(found.size(), 100u);
    ASSERT_LE(found.size(), expected.size());
    expected.resize(found.size());
  }
  EXPECT_EQ(found, expected);
  if (!whole) return;
  EXPECT_EQ(stack.stop, STOKER_STOP_COMPLETE);
  // Functions that jump to one another have no name for gdb.
  if (watch.python().is_called) return;
  const bool main_thread = std::string_view(kind) != "thread";
  const std::vector<__u64> native = GdbPart(parked.pid(), main_thread);
  // Without symbols gdb does not know the loop's name.
  if (!native.empty()) {
    EXPECT_EQ(NativePart(stack.words), native);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Versions, PythonWalkTest,
    ::testing::Combine(::testing::ValuesIn(Interpreters()),
                       ::testing::Values("callback", "thread", "generator", "coroutine",
                                         "constructor", "closure", "evaluated", "deep",
                                         "subinterpreter")),
    [](const auto& one) {
      const Interpreter& python = std::get<0>(one.param);
      const auto& all = Interpreters();
      const auto number = std::ranges::find(all, python.path, &Interpreter::path) - all.begin();
      return fmt::format("{}_{}_{}_{}", python.version >> 8, python.version & 0xff, number,
                         std::get<1>(one.param));
    });

// Writes into another process.
void Scribble(pid_t pid, std::uint64_t address, std::uint64_t value) {
  const std::string path = fmt::format("/proc/{}/mem", pid);
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(pwrite(fd, &value, sizeof value, static_cast<off_t>(address)),
            static_cast<ssize_t>(sizeof value));
  close(fd);
}

class PythonScribbleTest : public ::testing::TestWithParam<Interpreter> {};

TEST_P(PythonScribbleTest, SenselessDataCutsThePythonPartAlone) {
  if (geteuid() != 0) GTEST_SKIP() << "BPF needs root";
  const Parked parked(GetParam().path, "calls");
  ASSERT_TRUE(parked.parked());
  Watch watch(parked.pid());
  const Stack whole = watch.Find(HasPython);
  ASSERT_EQ(PythonPart(whole.words), parked.frames());
  // The third frame's code is no code object any more.
  const std::uint64_t type = parked.frames()[2].code + 8;
  Scribble(parked.pid(), type, type);
  const Stack cut =
      watch.Find([](const Stack& stack) { return stack.stop == STOKER_STOP_INTERPRETER_DATA; });
  std::vector<PythonFrame> expected = parked.frames();
  expected.resize(2);
  EXPECT_EQ(PythonPart(cut.words), expected);
  EXPECT_EQ(cut.words.back(), whole.words.back());
  // The runtime leads nowhere.
  const Image::Mapping* mapping = watch.PythonMapping();
  ASSERT_NE(mapping, nullptr);
  const stoker_python python = watch.python();
  const std::uint64_t start = mapping->place.start - mapping->place.file_offset;
  std::uint64_t bias = start;
  for (const elf::LoadSegment& segment : mapping->slot->binary->inspection.load_segments()) {
    if ((segment.flags() & 1) != 0) bias = start - (segment.address() - segment.offset());
  }
  Scribble(parked.pid(), bias + python.runtime + python.layout.interpreters, 0x1234567812345678);
  const Stack native = watch.Find([](const Stack& stack) { return !HasPython(stack); });
  EXPECT_EQ(native.stop, STOKER_STOP_INTERPRETER_DATA);
  EXPECT_EQ(native.words.back(), whole.words.back());
}

INSTANTIATE_TEST_SUITE_P(Versions, PythonScribbleTest, ::testing::ValuesIn(Interpreters()),
                         [](const auto& one) {
                           return fmt::format("{}_{}_{}", one.param.version >> 8,
                                              one.param.version & 0xff, one.index);
                         });

TEST(PythonStacks, StayNativeWhereTheyAreNotWanted) {
  if (geteuid() != 0) GTEST_SKIP() << "BPF needs root";
  ASSERT_FALSE(Interpreters().empty());
  const Parked parked(Interpreters().back().path, "calls");
  ASSERT_TRUE(parked.parked());
  SamplerKind kind(kRate);
  kind.python = false;
  Watch watch(parked.pid(), kind);
  const Stack stack =
      watch.Find([](const Stack& found) { return found.stop == STOKER_STOP_COMPLETE; });
  EXPECT_GT(stack.words.size(), 5u);
  EXPECT_FALSE(HasPython(stack));
}

TEST(PythonStacks, OfPythonsThatStartAndEnd) {
  if (geteuid() != 0) GTEST_SKIP() << "BPF needs root";
  int with_python = 0;
  int senseless = 0;
  auto live = LiveUnwinder::Start(
      kRate, ::testing::TempDir() + "/tables",
      [&](const ProcessPtr& process, const RawSample& sample) {
        if (process->python == nullptr) return;
        // Words that are no frames are told of.
        const Stack stack{{sample.user.begin(), sample.user.end()}, sample.stop};
        with_python += HasPython(stack) ? 1 : 0;
        senseless += sample.stop == STOKER_STOP_INTERPRETER_DATA ? 1 : 0;
      });
  ASSERT_TRUE(live.ok()) << live.status();
  for (int turn = 0; turn < 2; ++turn) {
    for (const Interpreter& python : Interpreters()) {
      const pid_t pid = fork();
      if (pid == 0) {
        execl(python.path.c_str(), python.path.c_str(), "-c",
              "import json, re, argparse, asyncio, unittest", nullptr);
        _exit(127);
      }
      (*live)->Run(absl::Milliseconds(700));
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
  }
  (*live)->Stop();
  std::printf("%d stacks with Python, %d senseless\n", with_python, senseless);
  EXPECT_GT(with_python, 20);
  // The interpreter changes what is read while it is read; seldom.
  EXPECT_LE(senseless * 20, with_python);
}

}  // namespace
}  // namespace stoker::ebpf
