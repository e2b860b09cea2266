// Python's frames stand among the native ones in the order of the stack, with their names, files
// and lines; one without a name says why.
#include "services/collector/ebpf/batch_builder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/collector/ebpf/python/fake_code_source.h"
#include "services/common/wire/raw_stack_decoder.h"

namespace stoker::ebpf {
namespace {

using ::testing::ElementsAre;

class BatchBuilderTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kCode = 0x7f0000001000;

  BatchBuilderTest() {
    process_->image = std::make_shared<const Image>(
        std::vector<procfs::ExecutableMapping>{{0x1000, 0x9000, 0, 0, "/memory"}}, Image());
    process_->python_names = std::make_shared<PythonNames>();
    process_->python_names->Set({kCode, 5}, MakePythonCode("Outer.work", "a.py", 5),
                                absl::ZeroDuration());
  }

  static void Push(std::vector<__u64>& stack, std::uint64_t code, std::uint32_t line,
                   std::uint32_t instruction) {
    stack.push_back(stoker_interpreted_code(STOKER_LANGUAGE_PYTHON, code));
    stack.push_back(stoker_interpreted_place(line, instruction));
  }

  // The stack's frames as a reader of the stream has them.
  std::vector<std::string> Frames(const std::vector<__u64>& user) {
    KernelSymbols kernel;
    BatchBuilder builder(kernel, "", {});
    const StackCounter::Stack stack = {
        .process = process_, .image = process_->image, .user = user, .count = 1};
    EXPECT_TRUE(builder.Add(target_, stack));
    std::vector<Batch> batches = builder.Take();
    batches.at(0).message.set_sequence(1);
    const auto decoded = wire::RawStackDecoder().Decode(batches[0].message);
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    if (!decoded.ok()) return {};
    const wire::StackDictionary& all = *decoded->dictionary;
    std::vector<std::string> frames;
    for (const std::uint32_t number : all.StackFrames(decoded->samples.at(0).stack)) {
      const wire::StackDictionary::Frame& frame = all.frames[number];
      frames.push_back(fmt::format("{} {:x}{}", all.mappings[frame.mapping].path, frame.address,
                                   frame.is_return_address ? " return" : ""));
      if (frame.function == 0) continue;
      frames.back() = fmt::format("{} {} {}:{}", all.mappings[frame.mapping].path,
                                  all.strings[frame.function], all.strings[frame.file], frame.line);
    }
    return frames;
  }

  ProcessPtr process_ = std::make_shared<Process>();
  const MatchedTarget target_ = {.id = "t", .labels = {}};
};

TEST_F(BatchBuilderTest, NativeAndPythonFramesInOrder) {
  std::vector<__u64> stack = {0x1010};
  Push(stack, kCode, 5, 2);
  Push(stack, kCode, 5, 0);
  stack.push_back(0x2020);
  Push(stack, kCode, 5, STOKER_NOT_STARTED);
  EXPECT_THAT(Frames(stack), ElementsAre("/memory 1010", "[python] Outer.work a.py:6",
                                         "[python] Outer.work a.py:5", "/memory 2020 return",
                                         "[python] Outer.work a.py:5"));
}

// Where the interpreter's own loop was the innermost, what follows is a caller.
TEST_F(BatchBuilderTest, PythonInnermost) {
  std::vector<__u64> stack;
  Push(stack, kCode, 5, 0);
  stack.push_back(0x2020);
  EXPECT_THAT(Frames(stack), ElementsAre("[python] Outer.work a.py:5", "/memory 2020 return"));
}

TEST_F(BatchBuilderTest, FramesWithoutNamesSayWhy) {
  PythonNames& names = *process_->python_names;
  names.SetMissing({0x1, 1}, PythonNames::State::kGone, absl::ZeroDuration());
  names.SetMissing({0x2, 1}, PythonNames::State::kProcessEnded, absl::ZeroDuration());
  std::vector<__u64> stack;
  for (const std::uint64_t code : {1, 2, 3}) Push(stack, code, 1, 7);
  // The same address, another first line.
  Push(stack, kCode, 6, 0);
  EXPECT_THAT(Frames(stack), ElementsAre("[python: gone] 0", "[python: process ended] 0",
                                         "[python: unread] 0", "[python: unread] 0"));
  process_->python_names = nullptr;
  EXPECT_EQ(Frames(stack)[0], "[python: unread] 0");
}

}  // namespace
}  // namespace stoker::ebpf
