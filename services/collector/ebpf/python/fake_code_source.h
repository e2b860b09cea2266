#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "services/collector/ebpf/python/code_source.h"

namespace stoker::ebpf {

// Keeps what it is asked; answers as the test has it.
class FakePythonCodeSource final : public PythonCodeSource {
 public:
  bool Request(const Question& question) override {
    if (full) return false;
    questions.push_back(question);
    return true;
  }
  std::vector<Answer> TakeAnswers() override { return std::exchange(answers, {}); }

  // Answers the oldest question; code objects at addresses that `names` does not have are gone.
  void AnswerNext(const std::map<std::uint64_t, PythonCode>& names) {
    const Question question = questions.front();
    questions.erase(questions.begin());
    Answer& answer = answers.emplace_back();
    answer.ticket = question.ticket;
    answer.outcome = Outcome::kRead;
    for (const PythonFrame::Code& code : question.codes) {
      const auto found = names.find(code.address);
      *answer.codes.add_codes() = found == names.end() ? PythonCode() : found->second;
    }
  }
  void AnswerNext(Outcome outcome) {
    answers.push_back({.ticket = questions.front().ticket, .outcome = outcome, .codes = {}});
    questions.erase(questions.begin());
  }

  bool full = false;
  std::vector<Question> questions;
  std::vector<Answer> answers;
};

inline PythonCode MakePythonCode(const std::string& function, const std::string& file,
                                 std::uint32_t first_line) {
  PythonCode code;
  code.set_found(true);
  code.set_function(function);
  code.set_file(file);
  code.set_first_line(first_line);
  // Two bytes on the first line, then the next one.
  code.add_range_start(0);
  code.add_range_line(first_line);
  code.add_range_start(2);
  code.add_range_line(first_line + 1);
  return code;
}

}  // namespace stoker::ebpf
