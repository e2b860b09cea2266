#include "services/collector/ebpf/python/code_tracker.h"

#include <algorithm>
#include <utility>

#include "services/collector/ebpf/python/code_job.h"

namespace stoker::ebpf {
namespace {

// Distance to the next question to a process whose memory did not come; doubles each time.
constexpr absl::Duration kFirstWait = absl::Seconds(1);
constexpr int kMaxDoublings = 6;

}  // namespace

void PythonCodeTracker::OnSample(const ProcessPtr& process, std::span<const __u64> user,
                                 absl::Duration now) {
  if (source_ == nullptr || process->python == nullptr) return;
  Asked* asked = nullptr;
  for (std::size_t i = 0; i < user.size(); ++i) {
    const std::optional<PythonFrame> frame = PythonFrameAt(user, i);
    if (!frame) continue;
    ++i;
    if (process->python_names == nullptr) process->python_names = std::make_shared<PythonNames>();
    if (!process->python_names->Use(frame->code, now)) continue;
    if (asked == nullptr) asked = &asked_[process];
    if (asked->pending.size() < kMaxPending) asked->pending.push_back(frame->code);
  }
  if (asked != nullptr) Ask(process, *asked, now);
}

void PythonCodeTracker::Ask(const ProcessPtr& process, Asked& asked, absl::Duration now) {
  if (asked.in_flight || asked.pending.empty() || now < asked.next_ask) return;
  const auto count = static_cast<std::ptrdiff_t>(std::min(asked.pending.size(), kMaxCodes));
  PythonCodeSource::Question question{
      .ticket = next_ticket_,
      .process = process->key,
      .layout = process->python,
      .codes = {asked.pending.begin(), asked.pending.begin() + count}};
  // Else again soon.
  if (!source_->Request(question)) return;
  asked.pending.erase(asked.pending.begin(), asked.pending.begin() + count);
  asked.in_flight = true;
  open_.emplace(next_ticket_++, Question{process, std::move(question.codes)});
}

void PythonCodeTracker::Update(absl::Duration now) {
  if (source_ == nullptr) return;
  for (const PythonCodeSource::Answer& answer : source_->TakeAnswers()) {
    const auto open = open_.find(answer.ticket);
    if (open == open_.end()) continue;
    Take(answer, open->second, now);
    open_.erase(open);
  }
  for (auto& [key, asked] : asked_) {
    if (asked.in_flight || asked.pending.empty()) continue;
    if (const ProcessPtr process = key.lock(); process != nullptr) Ask(process, asked, now);
  }
}

void PythonCodeTracker::Take(const PythonCodeSource::Answer& answer, const Question& question,
                             absl::Duration now) {
  using Outcome = PythonCodeSource::Outcome;
  const bool refused = answer.outcome == Outcome::kRefused;
  if (const auto asked = asked_.find(question.process); asked != asked_.end()) {
    int& refusals = asked->second.refusals;
    asked->second.in_flight = false;
    if (refused) asked->second.next_ask = now + kFirstWait * (1 << refusals);
    refusals = refused ? std::min(refusals + 1, kMaxDoublings) : 0;
  }
  const ProcessPtr process = question.process.lock();
  PythonNames* names = process == nullptr ? nullptr : process->python_names.get();
  const PythonNames::State missing = refused ? PythonNames::State::kUnread
                                     : answer.outcome == Outcome::kProcessEnded
                                         ? PythonNames::State::kProcessEnded
                                         : PythonNames::State::kGone;
  for (std::size_t i = 0; i < question.codes.size(); ++i) {
    const bool found = static_cast<int>(i) < answer.codes.codes_size() &&
                       answer.codes.codes(static_cast<int>(i)).found();
    if (found) {
      ++counts_.read;
      if (names != nullptr)
        names->Set(question.codes[i], answer.codes.codes(static_cast<int>(i)), now);
    } else if (names == nullptr || !names->SetMissing(question.codes[i], missing, now)) {
      ++(refused ? counts_.refused : counts_.gone);
    }
  }
}

template <typename Visit>
void PythonCodeTracker::ForEachNames(const Visit& visit) const {
  for (const auto& [key, asked] : asked_) {
    const ProcessPtr process = key.lock();
    if (process != nullptr && process->python_names != nullptr) visit(*process->python_names);
  }
}

void PythonCodeTracker::Sweep() {
  std::erase_if(asked_,
                [](const auto& item) { return !item.second.in_flight && item.first.expired(); });
  std::size_t bytes = 0;
  ForEachNames([&](const PythonNames& names) { bytes += names.bytes(); });
  if (bytes > kMaxBytes) ForEachNames([](PythonNames& names) { names.Age(); });
}

std::size_t PythonCodeTracker::codes() const {
  std::size_t sum = 0;
  ForEachNames([&](const PythonNames& names) { sum += names.size(); });
  return sum;
}

}  // namespace stoker::ebpf
