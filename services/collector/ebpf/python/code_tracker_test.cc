// Code objects are asked for once, a few at a time and in bounds; what was read of an older
// program, or is gone, names nothing; a process that does not answer is left alone for longer and
// longer.
#include "services/collector/ebpf/python/code_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/collector/ebpf/python/code_job.h"
#include "services/collector/ebpf/python/fake_code_source.h"

namespace stoker::ebpf {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using Outcome = PythonCodeSource::Outcome;
using State = PythonNames::State;

class CodeTrackerTest : public ::testing::Test {
 protected:
  static ProcessPtr MakeProcess(pid_t pid) {
    return std::make_shared<Process>(
        Process{.key = {pid, 1}, .python = std::make_shared<const PythonCodeLayout>()});
  }

  static std::vector<__u64> Words(std::uint64_t code, std::uint32_t line,
                                  std::uint32_t instruction = 0) {
    return {stoker_interpreted_code(STOKER_LANGUAGE_PYTHON, code),
            stoker_interpreted_place(line, instruction)};
  }

  void Sample(const ProcessPtr& process, const std::vector<__u64>& user) {
    tracker_.OnSample(process, user, now_);
  }
  void Update() { tracker_.Update(now_); }

  static PythonNames::Name Find(const ProcessPtr& process, std::uint64_t code, std::uint32_t line,
                                std::uint32_t instruction = 0) {
    return process->python_names->Find({.code = {code, line}, .instruction = instruction});
  }

  FakePythonCodeSource source_;
  PythonCodeTracker tracker_{&source_};
  absl::Duration now_ = absl::Seconds(100);
  ProcessPtr process_ = MakeProcess(7);
  std::map<std::uint64_t, PythonCode> names_ = {{0x1000, MakePythonCode("work", "a.py", 5)}};
};

TEST_F(CodeTrackerTest, AsksOnceAndNamesEachInstruction) {
  std::vector<__u64> user = {0x555555550000, 0x7fff00000000};
  for (const __u64 word : Words(0x1000, 5)) user.push_back(word);
  Sample(process_, user);
  Sample(process_, user);
  ASSERT_THAT(source_.questions, SizeIs(1));
  EXPECT_THAT(source_.questions[0].codes, SizeIs(1));
  EXPECT_TRUE(tracker_.Waiting());
  source_.AnswerNext(names_);
  Update();
  EXPECT_FALSE(tracker_.Waiting());
  EXPECT_EQ(*Find(process_, 0x1000, 5).function, "work");
  EXPECT_EQ(*Find(process_, 0x1000, 5).file, "a.py");
  EXPECT_EQ(Find(process_, 0x1000, 5, 0).line, 5u);
  EXPECT_EQ(Find(process_, 0x1000, 5, 8).line, 6u);
  EXPECT_EQ(Find(process_, 0x1000, 5, STOKER_NOT_STARTED).line, 5u);
  // Another code object at the same address.
  EXPECT_EQ(Find(process_, 0x1000, 9).state, State::kUnread);
  Sample(process_, Words(0x1000, 5, 2));
  EXPECT_THAT(source_.questions, IsEmpty());
}

TEST_F(CodeTrackerTest, OneQuestionAProcessAtATime) {
  for (std::uint64_t code = 0; code < 3 * kMaxCodes; ++code) {
    Sample(process_, Words(0x10000 + 16 * code, 1));
  }
  const ProcessPtr other = MakeProcess(8);
  Sample(other, Words(0x1000, 5));
  ASSERT_THAT(source_.questions, SizeIs(2));
  std::size_t asked = 0;
  while (!source_.questions.empty()) {
    EXPECT_THAT(source_.questions, SizeIs(testing::Le(2)));
    EXPECT_LE(source_.questions[0].codes.size(), kMaxCodes);
    asked += source_.questions[0].codes.size();
    source_.AnswerNext(names_);
    Update();
  }
  EXPECT_EQ(asked, 3 * kMaxCodes + 1);
  EXPECT_EQ(tracker_.counts().read, 1u);
  EXPECT_EQ(tracker_.counts().gone, 3 * kMaxCodes);
}

TEST_F(CodeTrackerTest, AFullSourceIsAskedAgain) {
  source_.full = true;
  Sample(process_, Words(0x1000, 5));
  EXPECT_FALSE(tracker_.Waiting());
  source_.full = false;
  Update();
  EXPECT_THAT(source_.questions, SizeIs(1));
}

TEST_F(CodeTrackerTest, WhatWasReadKeepsItsNameWhenItIsGone) {
  Sample(process_, Words(0x1000, 5));
  source_.AnswerNext(names_);
  Update();
  now_ += absl::Seconds(11);
  Sample(process_, Words(0x1000, 5));
  ASSERT_THAT(source_.questions, SizeIs(1));
  source_.AnswerNext({});
  Update();
  EXPECT_EQ(*Find(process_, 0x1000, 5).function, "work");
  // Another module's code has come to lie there.
  now_ += absl::Seconds(11);
  names_[0x1000] = MakePythonCode("other", "b.py", 5);
  Sample(process_, Words(0x1000, 5));
  source_.AnswerNext(names_);
  Update();
  EXPECT_EQ(*Find(process_, 0x1000, 5).function, "other");
  EXPECT_EQ(tracker_.counts().gone, 0u);
}

TEST_F(CodeTrackerTest, WhatIsGoneSaysSoAndIsLookedForAgain) {
  Sample(process_, Words(0x1000, 5));
  source_.AnswerNext({});
  Update();
  EXPECT_EQ(Find(process_, 0x1000, 5).state, State::kGone);
  Sample(process_, Words(0x1000, 5));
  EXPECT_THAT(source_.questions, IsEmpty());
  now_ += absl::Seconds(1);
  Sample(process_, Words(0x1000, 5));
  source_.AnswerNext(names_);
  Update();
  EXPECT_EQ(Find(process_, 0x1000, 5).state, State::kFound);
}

TEST_F(CodeTrackerTest, AProcessThatHasEnded) {
  Sample(process_, Words(0x1000, 5));
  source_.AnswerNext(Outcome::kProcessEnded);
  Update();
  EXPECT_EQ(Find(process_, 0x1000, 5).state, State::kProcessEnded);
}

TEST_F(CodeTrackerTest, AProcessWhoseMemoryDoesNotComeIsAskedLessAndLess) {
  int asked = 0;
  for (int i = 0; i < 1000; ++i) {
    Sample(process_, Words(0x1000, 5));
    Update();
    while (!source_.questions.empty()) {
      ++asked;
      source_.AnswerNext(Outcome::kRefused);
    }
    now_ += absl::Milliseconds(100);
  }
  EXPECT_GE(asked, 3);
  EXPECT_LE(asked, 7);
  EXPECT_EQ(Find(process_, 0x1000, 5).state, State::kUnread);
  EXPECT_GT(tracker_.counts().refused, 0u);
}

TEST_F(CodeTrackerTest, AnAnswerOfTheProgramBeforeNamesNothing) {
  Sample(process_, Words(0x1000, 5));
  // The process has executed another Python.
  const ProcessPtr next = MakeProcess(7);
  Sample(next, Words(0x1000, 5));
  process_.reset();
  tracker_.Sweep();
  source_.AnswerNext(names_);
  Update();
  EXPECT_EQ(Find(next, 0x1000, 5).state, State::kUnread);
  source_.AnswerNext({});
  Update();
  EXPECT_EQ(Find(next, 0x1000, 5).state, State::kGone);
  tracker_.Sweep();
  EXPECT_EQ(tracker_.processes(), 1u);
}

TEST_F(CodeTrackerTest, NamesAreBoundedAndTheNewestStay) {
  PythonNames names;
  const auto code = [](std::size_t i) { return PythonFrame::Code{16 * i, 1}; };
  for (std::size_t i = 0; i < 3 * PythonNames::kMaxCodes; ++i) {
    ASSERT_TRUE(names.Use(code(i), now_));
    names.Set(code(i), MakePythonCode("f" + std::to_string(i), "a.py", 1), now_);
    // This one is sampled all the time.
    (void)names.Use(code(0), now_);
    ASSERT_LE(names.size(), PythonNames::kMaxCodes);
  }
  EXPECT_EQ(names.Find({code(0), 0}).state, State::kFound);
  EXPECT_EQ(names.Find({code(3 * PythonNames::kMaxCodes - 1), 0}).state, State::kFound);
  EXPECT_EQ(names.Find({code(1), 0}).state, State::kUnread);
  names.Age();
  names.Age();
  EXPECT_EQ(names.size(), 0u);
  EXPECT_EQ(names.bytes(), 0u);
}

// Words that are no frame of Python.
TEST_F(CodeTrackerTest, OtherWords) {
  const std::uint64_t vsyscall = 0xffffffffff600400;
  Sample(process_, {vsyscall, 0x1000});
  Sample(process_, {stoker_interpreted_code(STOKER_LANGUAGE_PYTHON, 0x1000)});
  Sample(process_, {stoker_interpreted_code(STOKER_LANGUAGE_PYTHON, 0x1000), 0x1234});
  Sample(process_, {stoker_interpreted_code(static_cast<stoker_language>(2), 0x1000),
                    stoker_interpreted_place(1, 0)});
  EXPECT_THAT(source_.questions, IsEmpty());
}

}  // namespace
}  // namespace stoker::ebpf
