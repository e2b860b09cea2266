// Proves that folding keeps what rows say and takes fewer bytes than rows without it.
#include "services/collector/ebpf/unwind/page_folder.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace stoker::ebpf::unwind {
namespace {

std::vector<PageRow> Unfold(const FoldedPage& page) {
  std::vector<PageRow> rows;
  for (std::size_t i = 0; i < page.low.size(); ++i) {
    const stoker_unwind_entry& entry = page.entries[page.entry[i]];
    rows.push_back({page.low[i], entry.rule[0]});
    for (int more = 0; more < 2 && entry.after[more] != 0; ++more) {
      rows.push_back(
          {static_cast<std::uint16_t>(page.low[i] + entry.after[more]), entry.rule[more + 1]});
    }
  }
  return rows;
}

void ExpectKept(const std::vector<PageRow>& rows, const FoldedPage& page) {
  const std::vector<PageRow> unfolded = Unfold(page);
  ASSERT_EQ(unfolded.size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ASSERT_EQ(unfolded[i].low, rows[i].low) << i;
    ASSERT_EQ(unfolded[i].rule, rows[i].rule) << i;
  }
}

// Functions whose prologues and epilogues are alike, as compilers write them.
std::vector<PageRow> LikeCompilers(int functions) {
  std::vector<PageRow> rows;
  std::mt19937 random(1);
  std::uint32_t at = 0;
  for (int i = 0; i < functions && at < 65'000; ++i) {
    for (RuleId rule = 2; rule < 6; ++rule) {
      rows.push_back({static_cast<std::uint16_t>(at), rule});
      at += 1 + rule % 2;
    }
    at += 10 + random() % 100;
    for (RuleId rule = 5; rule-- > 2;) {
      rows.push_back({static_cast<std::uint16_t>(at), rule});
      at += 1 + rule % 2;
    }
    at += 5;
    rows.push_back({static_cast<std::uint16_t>(at), 7});
    at += 11;
  }
  return rows;
}

TEST(PageFolderTest, KeepsWhatRowsSay) {
  const std::vector<PageRow> rows = LikeCompilers(400);
  PageFolder folder;
  const FoldedPage& page = folder.Fold(rows);
  ExpectKept(rows, page);
  EXPECT_LT(page.Size(), rows.size() * 3 / 2);
}

TEST(PageFolderTest, KeepsAnyRows) {
  std::mt19937 random(7);
  PageFolder folder;
  for (int round = 0; round < 50; ++round) {
    const unsigned rules = 2 + random() % 600;
    std::vector<PageRow> rows;
    RuleId last = 0;
    for (std::uint32_t at = 0; at < 65'536; at += 1 + random() % (1U << (round % 11))) {
      const auto rule = static_cast<RuleId>(last + 1 + random() % (rules - 1));
      rows.push_back({static_cast<std::uint16_t>(at), rule});
      last = rule % rules;
    }
    ExpectKept(rows, folder.Fold(rows));
  }
}

TEST(PageFolderTest, OneRow) {
  PageFolder folder;
  const std::vector<PageRow> rows = {{0, 3}};
  ExpectKept(rows, folder.Fold(rows));
  EXPECT_EQ(folder.Fold(rows).Size(), 11U);
}

}  // namespace
}  // namespace stoker::ebpf::unwind
