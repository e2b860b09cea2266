#include "services/collector/ebpf/unwind/page_folder.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace stoker::ebpf::unwind {
namespace {

static_assert(sizeof(stoker_unwind_entry) == 8);

constexpr std::size_t kNarrowEntries = 256;
// Prices count 1/64 bytes.
constexpr std::uint32_t kRowPrice = 3 * 64;
constexpr std::uint32_t kEntryPrice = sizeof(stoker_unwind_entry) * 64;
constexpr std::uint32_t kNever = std::numeric_limits<std::uint32_t>::max();
constexpr int kRounds = 4;

std::uint64_t Key(const stoker_unwind_entry& entry) {
  std::uint64_t key = 0;
  std::memcpy(&key, &entry, sizeof key);
  return key;
}

// What a use costs when `uses` share the entry.
std::uint32_t Price(std::uint32_t uses) {
  return kRowPrice + kEntryPrice / std::max<std::uint32_t>(uses, 1);
}

template <typename T>
void AppendBytes(const std::vector<T>& values, std::string& bytes) {
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

}  // namespace

std::size_t FoldedPage::Size() const {
  const std::size_t width = entries.size() > kNarrowEntries ? 2 : 1;
  return entries.size() * sizeof(stoker_unwind_entry) +
         low.size() * (sizeof(std::uint16_t) + width);
}

void FoldedPage::AppendTo(std::string& bytes) const {
  AppendBytes(entries, bytes);
  AppendBytes(low, bytes);
  if (entries.size() > kNarrowEntries) return AppendBytes(entry, bytes);
  for (const std::uint16_t number : entry) bytes.push_back(static_cast<char>(number));
}

const FoldedPage& PageFolder::Fold(std::span<const PageRow> rows) {
  FindCandidates(rows);
  for (int round = 0; round < kRounds; ++round) {
    Choose(rows.size());
    Reprice();
  }
  Emit(rows, page_);
  if (page_.entries.size() <= kNarrowEntries) return page_;
  // Fewer entries may be worth their more rows: each takes a byte less.
  KeepMostUsed();
  Choose(rows.size());
  Emit(rows, narrow_);
  return narrow_.Size() < page_.Size() ? narrow_ : page_;
}

void PageFolder::FindCandidates(std::span<const PageRow> rows) {
  candidates_.clear();
  begins_.resize(rows.size());
  slots_.assign(std::bit_ceil(rows.size() * 6 + 16), 0);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    stoker_unwind_entry entry = {.rule = {rows[i].rule}};
    begins_[i] = {Number(entry), kNoCandidate, kNoCandidate};
    candidates_[begins_[i][0]].is_single = true;
    for (std::size_t more = 1; more < 3 && i + more < rows.size(); ++more) {
      const int after = rows[i + more].low - rows[i].low;
      if (after > std::numeric_limits<std::uint8_t>::max()) break;
      entry.rule[more] = rows[i + more].rule;
      entry.after[more - 1] = static_cast<std::uint8_t>(after);
      begins_[i][more] = Number(entry);
    }
  }
  for (Candidate& candidate : candidates_) {
    candidate.price = candidate.is_single || candidate.uses > 1 ? Price(candidate.uses) : kNever;
  }
}

std::uint32_t PageFolder::Number(const stoker_unwind_entry& entry) {
  const std::uint64_t key = Key(entry);
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = (key * 0x9e3779b97f4a7c15) >> 32 & mask;
  for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
    Candidate& candidate = candidates_[slots_[slot] - 1];
    if (Key(candidate.entry) != key) continue;
    ++candidate.uses;
    return slots_[slot] - 1;
  }
  candidates_.push_back({.entry = entry, .uses = 1});
  slots_[slot] = static_cast<std::uint32_t>(candidates_.size());
  return slots_[slot] - 1;
}

// The cheapest way through the rows at the present prices; counts what it uses.
void PageFolder::Choose(std::size_t rows) {
  best_.resize(rows + 1);
  choice_.resize(rows);
  best_[rows] = 0;
  for (std::size_t i = rows; i-- > 0;) {
    best_[i] = kNever;
    for (std::size_t more = 0; more < 3; ++more) {
      const std::uint32_t number = begins_[i][more];
      if (number == kNoCandidate) break;
      const std::uint32_t price = candidates_[number].price;
      if (price == kNever || best_[i + more + 1] + price >= best_[i]) continue;
      best_[i] = best_[i + more + 1] + price;
      choice_[i] = static_cast<std::uint8_t>(more);
    }
  }
  for (Candidate& candidate : candidates_) candidate.uses = 0;
  for (std::size_t i = 0; i < rows; i += choice_[i] + 1U)
    ++candidates_[begins_[i][choice_[i]]].uses;
}

// What was not used goes, but for single rules: they are what remains where nothing folds.
void PageFolder::Reprice() {
  for (Candidate& candidate : candidates_) {
    const bool remains = candidate.is_single || candidate.uses > 0;
    candidate.price = remains ? Price(candidate.uses) : kNever;
  }
}

void PageFolder::KeepMostUsed() {
  std::vector<Candidate*> folds;
  std::size_t singles = 0;
  for (Candidate& candidate : candidates_) {
    if (candidate.is_single) {
      ++singles;
    } else if (candidate.uses > 0) {
      folds.push_back(&candidate);
    }
  }
  const std::size_t keep = singles < kNarrowEntries ? kNarrowEntries - singles : 0;
  if (folds.size() <= keep) return;
  std::ranges::nth_element(
      folds, folds.begin() + static_cast<std::ptrdiff_t>(keep),
      [](const Candidate* a, const Candidate* b) { return a->uses > b->uses; });
  for (std::size_t i = keep; i < folds.size(); ++i) folds[i]->price = kNever;
}

void PageFolder::Emit(std::span<const PageRow> rows, FoldedPage& page) const {
  page.entries.clear();
  page.low.clear();
  page.entry.clear();
  std::vector<std::uint16_t> numbers(candidates_.size(), 0);
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    if (candidates_[i].uses == 0) continue;
    numbers[i] = static_cast<std::uint16_t>(page.entries.size());
    page.entries.push_back(candidates_[i].entry);
  }
  for (std::size_t i = 0; i < rows.size(); i += choice_[i] + 1U) {
    page.low.push_back(rows[i].low);
    page.entry.push_back(numbers[begins_[i][choice_[i]]]);
  }
}

}  // namespace stoker::ebpf::unwind
