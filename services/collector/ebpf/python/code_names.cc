#include "services/collector/ebpf/python/code_names.h"

#include <algorithm>
#include <utility>

namespace stoker::ebpf {
namespace {

// An answer that takes longer is not waited for.
constexpr absl::Duration kMaxAnswer = absl::Seconds(30);
// Another object may have come to lie there, with the same first line.
constexpr absl::Duration kGoodFor = absl::Seconds(10);
// What was not found is looked for again: it may have been read halfway made.
constexpr absl::Duration kMissingFor = absl::Seconds(1);
// Of an entry, besides its name and lines.
constexpr std::size_t kEntryBytes = 160;

}  // namespace

bool PythonNames::Use(const PythonFrame::Code& code, absl::Duration now) {
  Entry& entry = Young(code);
  if (now < entry.next_ask) return false;
  entry.next_ask = now + kMaxAnswer;
  return true;
}

void PythonNames::Set(const PythonFrame::Code& code, const PythonCode& read, absl::Duration now) {
  if (!read.found()) {
    SetMissing(code, State::kGone, now);
    return;
  }
  Entry& entry = Young(code);
  young_.bytes -= BytesOf(entry);
  entry.state = State::kFound;
  entry.next_ask = now + kGoodFor;
  entry.function = read.function();
  auto& file = young_.files[read.file()];
  if (file == nullptr) {
    file = std::make_shared<const std::string>(read.file());
    young_.bytes += 2 * file->size() + kEntryBytes;
  }
  entry.file = file;
  entry.first_line = read.first_line();
  entry.lines.clear();
  const int ranges = std::min(read.range_start_size(), read.range_line_size());
  entry.lines.reserve(static_cast<std::size_t>(ranges));
  for (int i = 0; i < ranges; ++i) {
    entry.lines.push_back({read.range_start(i), read.range_line(i)});
  }
  young_.bytes += BytesOf(entry);
}

bool PythonNames::SetMissing(const PythonFrame::Code& code, State state, absl::Duration now) {
  Entry& entry = Young(code);
  const bool has_name = entry.state == State::kFound;
  entry.next_ask = now + (has_name ? kGoodFor : kMissingFor);
  if (!has_name) entry.state = state;
  return has_name;
}

PythonNames::Name PythonNames::Find(const PythonFrame& frame) const {
  const Entry* entry = Peek(frame.code);
  if (entry == nullptr) return {};
  if (entry->state != State::kFound) return {.state = entry->state};
  std::uint32_t line = 0;
  if (frame.instruction != STOKER_NOT_STARTED) line = FindLine(entry->lines, frame.instruction);
  return {.state = State::kFound,
          .function = &entry->function,
          .file = entry->file.get(),
          .line = line != 0 ? line : entry->first_line};
}

void PythonNames::Age() { old_ = std::exchange(young_, {}); }

const PythonNames::Entry* PythonNames::Peek(const PythonFrame::Code& code) const {
  for (const Generation* generation : {&young_, &old_}) {
    const auto found = generation->codes.find(code);
    if (found != generation->codes.end()) return &found->second;
  }
  return nullptr;
}

PythonNames::Entry& PythonNames::Young(const PythonFrame::Code& code) {
  if (const auto found = young_.codes.find(code); found != young_.codes.end()) {
    return found->second;
  }
  if (young_.codes.size() >= kMaxCodes / 2 || young_.bytes >= kMaxBytes / 2) Age();
  Entry entry;
  if (const auto found = old_.codes.find(code); found != old_.codes.end()) {
    old_.bytes -= BytesOf(found->second);
    entry = std::move(found->second);
    old_.codes.erase(found);
  }
  young_.bytes += BytesOf(entry);
  return young_.codes.emplace(code, std::move(entry)).first->second;
}

std::size_t PythonNames::BytesOf(const Entry& entry) {
  return kEntryBytes + entry.function.size() + entry.lines.size() * sizeof(LineRange);
}

}  // namespace stoker::ebpf
