#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bpf/shared/unwind.h"
#include "services/collector/ebpf/unwind/rule_set.h"

namespace stoker::ebpf::unwind {

// From the address whose low bits are `low`, `rule` holds.
struct PageRow {
  std::uint16_t low = 0;
  RuleId rule = RuleSet::kNone;
};

// The columns of a page (bpf/shared/unwind.h) before they are bytes.
struct FoldedPage {
  std::vector<stoker_unwind_entry> entries;
  std::vector<std::uint16_t> low;
  // Parallel to `low`: numbers into `entries`.
  std::vector<std::uint16_t> entry;

  // Bytes of the body.
  [[nodiscard]] std::size_t Size() const;
  void AppendTo(std::string& bytes) const;
};

// Says the rows of a page by few entries of up to three rules: the order in which compilers push
// and pop repeats from function to function, so a page needs few of them. Keeps its memory from
// page to page. One thread.
class PageFolder {
 public:
  // `rows` ascend, neighbours differ, the first has low 0. The result is valid until the next call.
  const FoldedPage& Fold(std::span<const PageRow> rows);

 private:
  static constexpr std::uint32_t kNoCandidate = UINT32_MAX;

  void FindCandidates(std::span<const PageRow> rows);
  std::uint32_t Number(const stoker_unwind_entry& entry);
  void Choose(std::size_t rows);
  void Reprice();
  void KeepMostUsed();
  void Emit(std::span<const PageRow> rows, FoldedPage& page) const;

  // What an entry may be.
  struct Candidate {
    stoker_unwind_entry entry;
    std::uint32_t uses = 0;
    std::uint32_t price = 0;
    bool is_single = false;
  };
  std::vector<Candidate> candidates_;
  // Open addressing by entry: a candidate's number + 1, 0 where free.
  std::vector<std::uint32_t> slots_;
  // Of each row: the candidates of one, two and three rules that begin there.
  std::vector<std::array<std::uint32_t, 3>> begins_;
  // Of each row: the least price of saying it and what follows, and how many rules its entry takes.
  std::vector<std::uint32_t> best_;
  std::vector<std::uint8_t> choice_;
  FoldedPage page_;
  FoldedPage narrow_;
};

}  // namespace stoker::ebpf::unwind
