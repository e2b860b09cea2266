#include "services/collector/ebpf/python/code_reader.h"

#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include "services/collector/ebpf/python/code_job.h"
#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"

namespace stoker::ebpf {
namespace {

constexpr std::size_t kMaxQuestions = 1024;
constexpr absl::Duration kDeadline = absl::Milliseconds(500);

bool IsAlive(const procfs::ProcessKey& key) {
  const auto process = procfs::ProcessReader().Read(key.pid, 0);
  return process.ok() && process->key == key;
}

}  // namespace

PythonCodeReader::PythonCodeReader(sandbox::Sandbox& sandbox)
    : sandbox_(sandbox), questions_(kMaxQuestions), thread_([this] { Run(); }) {}

PythonCodeReader::~PythonCodeReader() {
  questions_.Close();
  thread_.join();
}

bool PythonCodeReader::Request(const Question& question) {
  return questions_.TryPush(Question(question));
}

std::vector<PythonCodeSource::Answer> PythonCodeReader::TakeAnswers() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(answers_, {});
}

void PythonCodeReader::Run() {
  while (!questions_.drained()) {
    const auto question = questions_.Pop(absl::Seconds(1));
    if (!question) continue;
    absl::StatusOr<PythonCodes> codes = Read(*question);
    Answer answer{.ticket = question->ticket, .codes = {}};
    if (codes.ok()) {
      answer.outcome = Outcome::kRead;
      answer.codes = *std::move(codes);
    } else if (codes.status().code() == absl::StatusCode::kNotFound) {
      answer.outcome = Outcome::kProcessEnded;
    }
    absl::MutexLock lock(&mutex_);
    answers_.push_back(std::move(answer));
  }
}

absl::StatusOr<PythonCodes> PythonCodeReader::Read(const Question& question) {
  const UniqueFd memory(
      open(fmt::format("/proc/{}/mem", question.process.pid).c_str(), O_RDONLY | O_CLOEXEC));
  if (!memory.valid() && errno != ENOENT && errno != ESRCH) return ErrnoError(errno, "memory");
  // Until here the pid may have become another process'.
  if (!memory.valid() || !IsAlive(question.process)) return NotFound("the process has ended");
  PythonCodeRequest request;
  FillRequest(*question.layout, request);
  for (const PythonFrame::Code& code : question.codes) {
    request.add_code(code.address);
    request.add_check(code.check);
  }
  const std::array<int, 1> fds = {memory.get()};
  STOKER_ASSIGN_OR_RETURN(
      const std::string bytes,
      sandbox_.Run(kPythonCodeJob, fds, request.SerializeAsString(), kDeadline));
  PythonCodes codes;
  if (!codes.ParseFromString(bytes) ||
      static_cast<std::size_t>(codes.codes_size()) != question.codes.size()) {
    return Internal("the sandbox's answer is none");
  }
  const auto is_missing = [](const PythonCode& code) { return !code.found(); };
  // The memory of a process that has ended reads as nothing.
  if (std::ranges::any_of(codes.codes(), is_missing) && !IsAlive(question.process)) {
    if (std::ranges::all_of(codes.codes(), is_missing)) return NotFound("the process has ended");
  }
  return codes;
}

}  // namespace stoker::ebpf
