#include "services/symbolizer/table/code_map.h"

#include <algorithm>
#include <limits>

#include <xxhash.h>

namespace stoker::symbolizer {
namespace {

// Offsets are 32 bits.
constexpr std::size_t kMaxBytes = std::numeric_limits<std::uint32_t>::max() - 1024;

void PutUnsigned(std::string& to, std::uint64_t value) {
  while (value >= 0x80) {
    to.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  to.push_back(static_cast<char>(value));
}

void PutSigned(std::string& to, std::int64_t value) {
  while (true) {
    const auto low = static_cast<std::uint8_t>(value & 0x7f);
    value >>= 7;
    const bool last = (value == 0 && (low & 0x40) == 0) || (value == -1 && (low & 0x40) != 0);
    to.push_back(static_cast<char>(last ? low : low | 0x80));
    if (last) return;
  }
}

template <typename T>
std::uint64_t HashOf(const T& value) {
  return XXH3_64bits(&value, sizeof value);
}

}  // namespace

CodeMap::CodeMap() : strings_(1, '\0'), functions_(1), files_(1), scopes_(1, '\0') {}

bool CodeMap::HasRoom(const std::string& bytes) {
  if (bytes.size() < kMaxBytes) return true;
  overflow_ = true;
  return false;
}

std::uint32_t CodeMap::Text(std::string_view text) {
  text = text.substr(0, text.find('\0'));
  if (text.empty() || !HasRoom(strings_) || text.size() > kMaxBytes - strings_.size()) return 0;
  const auto next = static_cast<std::uint32_t>(strings_.size());
  const auto is_equal = [&](std::uint32_t offset) {
    return strings_.compare(offset, text.size(), text) == 0 &&
           strings_[offset + text.size()] == '\0';
  };
  const auto found =
      known_texts_.FindOrInsert(XXH3_64bits(text.data(), text.size()), next, is_equal);
  if (found.inserted) strings_.append(text).push_back('\0');
  return found.number;
}

std::uint32_t CodeMap::File(std::string_view folder, std::string_view name) {
  const TableFile file = {Text(folder), Text(name)};
  const auto is_equal = [&](std::uint32_t number) {
    return files_[number].folder == file.folder && files_[number].name == file.name;
  };
  const auto found =
      known_files_.FindOrInsert(HashOf(file), static_cast<std::uint32_t>(files_.size()), is_equal);
  if (found.inserted) files_.push_back(file);
  return found.number;
}

std::uint32_t CodeMap::Function(std::string_view name, std::uint32_t file, std::uint32_t line) {
  const TableFunction function = {Text(name), file, line};
  const auto is_equal = [&](std::uint32_t number) {
    const TableFunction& other = functions_[number];
    return other.name == function.name && other.file == file && other.line == line;
  };
  const auto found = known_functions_.FindOrInsert(
      HashOf(function), static_cast<std::uint32_t>(functions_.size()), is_equal);
  if (found.inserted) functions_.push_back(function);
  return found.number;
}

std::uint32_t CodeMap::Scope(std::uint32_t parent, std::uint32_t function, std::uint32_t call_file,
                             std::uint32_t call_line) {
  if (!HasRoom(scopes_)) return 0;
  const auto scope = static_cast<std::uint32_t>(scopes_.size());
  PutUnsigned(scopes_, parent == 0 ? 0 : scope - parent);
  PutUnsigned(scopes_, function);
  if (parent == 0) return scope;
  PutUnsigned(scopes_, call_file);
  PutUnsigned(scopes_, call_line);
  return scope;
}

void CodeMap::AddRow(std::uint64_t begin, std::uint64_t end, std::uint32_t scope,
                     std::uint32_t file, std::uint32_t line) {
  if (end <= begin) return;
  if (!open_.empty()) {
    Row& last = open_.back();
    if (last.end != begin) {
      EndBlock();
    } else if (last.scope == scope && last.file == file && last.line == line) {
      last.end = end;
      return;
    } else if (open_.size() == kMaxBlockRows) {
      EndBlock();
    }
  }
  open_.push_back({begin, end, scope, file, line});
}

void CodeMap::EndBlock() {
  if (open_.empty() || !HasRoom(rows_)) return open_.clear();
  blocks_.push_back(
      {open_.front().begin, open_.back().end, static_cast<std::uint32_t>(rows_.size())});
  PutUnsigned(rows_, open_.size());
  PutUnsigned(rows_, open_.front().scope);
  PutUnsigned(rows_, open_.front().file);
  PutUnsigned(rows_, open_.front().line);
  for (std::size_t i = 1; i < open_.size(); ++i) {
    const Row& before = open_[i - 1];
    const Row& row = open_[i];
    const std::uint64_t step = before.end - before.begin;
    std::uint8_t head = std::min<std::uint64_t>(step, kRowLongStep) << kRowStepShift;
    if (row.scope != before.scope) head |= kRowOtherScope;
    if (row.file != before.file) head |= kRowOtherFile;
    rows_.push_back(static_cast<char>(head));
    if (step >= kRowLongStep) PutUnsigned(rows_, step - kRowLongStep);
    PutSigned(rows_, std::int64_t{row.line} - std::int64_t{before.line});
    if (row.scope != before.scope) {
      PutSigned(rows_, std::int64_t{row.scope} - std::int64_t{before.scope});
    }
    if (row.file != before.file) PutUnsigned(rows_, row.file);
  }
  PutUnsigned(rows_, open_.back().end - open_.back().begin);
  open_.clear();
}

void CodeMap::Finish() {
  EndBlock();
  std::stable_sort(blocks_.begin(), blocks_.end(),
                   [](const Block& a, const Block& b) { return a.begin < b.begin; });
  std::uint64_t end = 0;
  std::erase_if(blocks_, [&end](const Block& block) {
    if (block.begin < end) return true;
    end = block.end;
    return false;
  });
}

}  // namespace stoker::symbolizer
