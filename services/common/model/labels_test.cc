#include "services/common/model/labels.h"

#include <algorithm>
#include <thread>

#include <gtest/gtest.h>

#include "services/common/model/label_editor.h"

namespace stoker::model {
namespace {

// Sorted by name; the last of equal names wins; an empty value is no label.
TEST(LabelsTest, Normalizes) {
  const Labels labels{{"b", "1"}, {"a", "2"}, {"b", "3"}, {"c", "x"}, {"c", ""}};
  EXPECT_EQ(labels, (Labels{{"a", "2"}, {"b", "3"}}));
  EXPECT_EQ(labels.ToString(), R"({a="2", b="3"})");
  EXPECT_TRUE((Labels{{"a", ""}}).empty());
}

// Set replaces, inserts in order, and erases with an empty value.
TEST(LabelsTest, Set) {
  Labels labels{{"m", "1"}};
  labels.Set("a", "0");
  labels.Set("m", "2");
  labels.Set("z", "");
  EXPECT_EQ(labels, (Labels{{"a", "0"}, {"m", "2"}}));
  labels.Set("a", "");
  EXPECT_FALSE(labels.Has("a"));
  EXPECT_EQ(labels.Get("m"), "2");
  labels.Erase("m");
  EXPECT_TRUE(labels.empty());
  EXPECT_EQ(labels.Get("m"), "");
}

// A copy does not see what becomes of the other, and outlives it.
TEST(LabelsTest, CopiesAreApart) {
  Labels copy;
  {
    Labels labels{{"a", "1"}, {"b", "2"}};
    copy = labels;
    labels.Set("a", "3");
    EXPECT_EQ(labels.Get("a"), "3");
  }
  EXPECT_EQ(copy, (Labels{{"a", "1"}, {"b", "2"}}));
}

// Sets are ordered as their sequences of names and values are.
TEST(LabelsTest, Order) {
  const std::vector<Labels> sorted = {
      {}, {{"a", "1"}}, {{"a", "1"}, {"b", "0"}}, {{"a", "2"}}, {{"b", "0"}}};
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    for (std::size_t k = 0; k < sorted.size(); ++k) {
      EXPECT_EQ(sorted[i] <=> sorted[k], i <=> k);
      EXPECT_EQ(sorted[i] == sorted[k], i == k);
    }
  }
}

// The iterators are what the standard's algorithms expect of a sorted sequence.
TEST(LabelsTest, Iterates) {
  static_assert(std::random_access_iterator<Labels::Iterator>);
  const Labels labels{{"a", "1"}, {"b", "2"}, {"c", "3"}};
  EXPECT_EQ((std::vector<Label>(labels.begin(), labels.end())),
            (std::vector<Label>{{"a", "1"}, {"b", "2"}, {"c", "3"}}));
  EXPECT_EQ(labels.begin()->value, "1");
  EXPECT_EQ(std::ranges::find(labels, "b", &LabelView::name) - labels.begin(), 1);
}

// An editor does many changes at once; what it was made from stays.
TEST(LabelEditorTest, Edits) {
  const Labels from{{"a", "1"}, {"b", "2"}, {"c", "3"}};
  LabelEditor editor(from);
  EXPECT_EQ(editor.Make(), from);
  editor.Set("b", "2");
  EXPECT_FALSE(editor.changed());
  editor.Set("d", "4");
  editor.Set("0", editor.ValueOf("a"));
  editor.Set("c", editor.ValueOf("none"));
  editor.EraseIf([](std::string_view name) { return name == "b"; });
  EXPECT_TRUE(editor.changed());
  EXPECT_EQ(editor.Get("0"), "1");
  EXPECT_EQ(editor.Make(), (Labels{{"0", "1"}, {"a", "1"}, {"d", "4"}}));
  EXPECT_EQ(from, (Labels{{"a", "1"}, {"b", "2"}, {"c", "3"}}));
}

// Sets on top of common labels are equal to such that share nothing, and share their texts.
TEST(LabelEditorTest, Common) {
  const Labels common{{"a", "1"}, {"c", "3"}, {"e", "5"}, {"g", "7"}, {"i", "9"}};
  std::vector<Labels> made;
  for (const char* const own : {"x", "y"}) {
    LabelEditor editor = LabelEditor::OnTopOf(common);
    editor.Set("d", own);
    // Not common any more.
    editor.Set("e", own);
    made.push_back(editor.Make());
    EXPECT_EQ(made.back(),
              (Labels{{"a", "1"}, {"c", "3"}, {"d", own}, {"e", own}, {"g", "7"}, {"i", "9"}}));
  }
  EXPECT_EQ(made[0].Get("a").data(), made[1].Get("a").data());
  EXPECT_LT(made[0], made[1]);
  EXPECT_EQ(LabelEditor::OnTopOf({}).Make(), Labels());
}

// Texts that are asked for again are one in memory, however many others came between.
TEST(TextTest, Shares) {
  const Text first = Text::Shared("namespace");
  for (int i = 0; i < 100'000; ++i) Text::Shared(std::to_string(i));
  EXPECT_EQ(first.view().data(), Text::Shared("namespace").view().data());
  EXPECT_EQ(Text("namespace"), first);
  EXPECT_TRUE(Text::Shared("").empty());
}

// Threads make, change and drop sets that share their texts; each gets what it would get alone.
TEST(LabelsTest, Threads) {
  const Labels common{{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&common, t] {
      for (int i = 0; i < 2'000; ++i) {
        const std::string value = std::to_string(i % 100);
        LabelEditor editor = LabelEditor::OnTopOf(common);
        editor.Set("own" + std::to_string(t), value);
        Labels labels = editor.Make();
        const Labels copy = labels;
        labels.Set("e", value);
        ASSERT_EQ(copy.size(), 5);
        ASSERT_EQ(labels.Get("e"), value);
        ASSERT_EQ(labels.Get("a"), "1");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace stoker::model
