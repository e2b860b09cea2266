#include "services/common/relabel/rule.h"

#include <optional>

#include <gtest/gtest.h>

namespace stoker::relabel {
namespace {

using config::RelabelRule;
using model::Labels;
using Action = RelabelRule::Action;

// The labels after the rule; nothing when it drops them.
std::optional<Labels> Apply(const RelabelRule& rule, Labels labels) {
  const absl::StatusOr<Rule> compiled = Rule::Compile(rule);
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  model::LabelEditor editor(std::move(labels));
  if (!compiled.ok() || !compiled->Apply(editor)) return std::nullopt;
  return editor.Make();
}

std::string CompileError(const RelabelRule& rule) {
  return std::string(Rule::Compile(rule).status().message());
}

const Labels kLabels{{"a", "foo"}, {"b", "bar"}, {"c", "baz"}};

// Prometheus' published cases of replace: groups, joined sources, computed target names.
TEST(RuleTest, Replace) {
  EXPECT_EQ(Apply({.source_labels = {"a"},
                   .regex = "f(.*)",
                   .target_label = "d",
                   .replacement = "ch${1}-ch${1}"},
                  kLabels),
            (Labels{{"a", "foo"}, {"b", "bar"}, {"c", "baz"}, {"d", "choo-choo"}}));
  EXPECT_EQ(Apply({.source_labels = {"a", "b"},
                   .regex = "f(.*);(.*)r",
                   .target_label = "a",
                   .replacement = "b${1}${2}m"},
                  kLabels),
            (Labels{{"a", "boobam"}, {"b", "bar"}, {"c", "baz"}}));
  EXPECT_EQ(Apply({.source_labels = {"a"},
                   .regex = "some-([^-]+)-([^,]+)",
                   .target_label = "${1}",
                   .replacement = "${2}"},
                  {{"a", "some-name-value"}}),
            (Labels{{"a", "some-name-value"}, {"name", "value"}}));
  EXPECT_EQ(Apply({.target_label = "e", .replacement = "static"}, {{"a", "1"}}),
            (Labels{{"a", "1"}, {"e", "static"}}));
}

// The expression must match the whole value, line ends included; an absent source is empty; an
// empty result deletes; a computed name that is none changes nothing.
TEST(RuleTest, ReplaceEdges) {
  EXPECT_EQ(Apply({.source_labels = {"a"}, .regex = "oo", .target_label = "a"}, kLabels), kLabels);
  EXPECT_EQ(
      Apply({.source_labels = {"a"}, .regex = "x(.*)z", .target_label = "t"}, {{"a", "x1\n2z"}}),
      (Labels{{"a", "x1\n2z"}, {"t", "1\n2"}}));
  EXPECT_EQ(
      Apply({.source_labels = {"a", "none"}, .separator = "/", .target_label = "t"}, {{"a", "1"}}),
      (Labels{{"a", "1"}, {"t", "1/"}}));
  EXPECT_EQ(Apply({.source_labels = {"none"}, .target_label = "a"}, {{"a", "1"}, {"b", "2"}}),
            (Labels{{"b", "2"}}));
  EXPECT_EQ(
      Apply({.source_labels = {"a"}, .regex = "(.*)", .target_label = "${1}", .replacement = "x"},
            {{"a", "not-a-name"}}),
      (Labels{{"a", "not-a-name"}}));
  EXPECT_EQ(Apply({.source_labels = {"a"}, .regex = ".*", .target_label = "a"}, {{"a", "1"}}),
            Labels());
}

// keep needs a match, drop needs none; without sources the value is empty.
TEST(RuleTest, KeepAndDrop) {
  EXPECT_EQ(Apply({.source_labels = {"a"}, .regex = "fo+", .action = Action::kKeep}, kLabels),
            kLabels);
  EXPECT_EQ(Apply({.source_labels = {"a"}, .regex = "fo", .action = Action::kKeep}, kLabels),
            std::nullopt);
  EXPECT_EQ(Apply({.source_labels = {"a"}, .regex = ".*o.*", .action = Action::kDrop}, kLabels),
            std::nullopt);
  EXPECT_EQ(Apply({.source_labels = {"a"}, .regex = "f|o", .action = Action::kDrop}, kLabels),
            kLabels);
  EXPECT_EQ(Apply({.source_labels = {"none"}, .regex = ".+", .action = Action::kKeep}, kLabels),
            std::nullopt);
  EXPECT_EQ(Apply({.regex = "", .action = Action::kKeep}, kLabels), kLabels);
}

// The joined sources are compared with the target label; absent equals empty.
TEST(RuleTest, KeepEqualAndDropEqual) {
  const Labels same{{"a", "1"}, {"b", "1"}};
  const Labels other{{"a", "1"}, {"b", "2"}};
  const RelabelRule keep{.source_labels = {"a"}, .target_label = "b", .action = Action::kKeepEqual};
  const RelabelRule drop{.source_labels = {"a"}, .target_label = "b", .action = Action::kDropEqual};
  EXPECT_EQ(Apply(keep, same), same);
  EXPECT_EQ(Apply(keep, other), std::nullopt);
  EXPECT_EQ(Apply(drop, same), std::nullopt);
  EXPECT_EQ(Apply(drop, other), other);
  EXPECT_EQ(Apply(drop, {{"c", "1"}}), std::nullopt);
}

// The last 8 bytes of the MD5 digest modulo the modulus. Source: Prometheus' relabel_test.
TEST(RuleTest, Hashmod) {
  EXPECT_EQ(Apply({.source_labels = {"c"},
                   .modulus = 1000,
                   .target_label = "d",
                   .action = Action::kHashmod},
                  kLabels)
                ->Get("d"),
            "976");
  EXPECT_EQ(Apply({.source_labels = {"a"},
                   .modulus = 1000,
                   .target_label = "d",
                   .action = Action::kHashmod},
                  {{"a", "foo\nbar"}})
                ->Get("d"),
            "734");
}

// Matching names are copied under new ones; new names take no part; the later of two wins.
TEST(RuleTest, Labelmap) {
  EXPECT_EQ(
      Apply({.regex = "__meta_(my.*)", .action = Action::kLabelmap},
            {{"a", "foo"}, {"__meta_my_bar", "aaa"}, {"__meta_other", "ccc"}}),
      (Labels{{"a", "foo"}, {"__meta_my_bar", "aaa"}, {"__meta_other", "ccc"}, {"my_bar", "aaa"}}));
  EXPECT_EQ(
      Apply({.regex = "a(.*)", .replacement = "aa${1}", .action = Action::kLabelmap}, {{"a", "1"}}),
      (Labels{{"a", "1"}, {"aa", "1"}}));
  EXPECT_EQ(Apply({.regex = "[ab]", .replacement = "z", .action = Action::kLabelmap},
                  {{"a", "1"}, {"b", "2"}}),
            (Labels{{"a", "1"}, {"b", "2"}, {"z", "2"}}));
}

// Labels are erased by name.
TEST(RuleTest, LabeldropAndLabelkeep) {
  EXPECT_EQ(Apply({.regex = "[ab]", .action = Action::kLabeldrop}, kLabels),
            (Labels{{"c", "baz"}}));
  EXPECT_EQ(Apply({.regex = "[ab]", .action = Action::kLabelkeep}, kLabels),
            (Labels{{"a", "foo"}, {"b", "bar"}}));
  EXPECT_EQ(Apply({.regex = ".*", .action = Action::kLabeldrop}, kLabels), Labels());
}

// The joined sources in one case; an empty value deletes.
TEST(RuleTest, LowercaseAndUppercase) {
  EXPECT_EQ(Apply({.source_labels = {"a"}, .target_label = "l", .action = Action::kLowercase},
                  {{"a", "bAr É"}})
                ->Get("l"),
            "bar é");
  EXPECT_EQ(Apply({.source_labels = {"a", "a"}, .target_label = "u", .action = Action::kUppercase},
                  {{"a", "bAr"}})
                ->Get("u"),
            "BAR;BAR");
  EXPECT_EQ(Apply({.source_labels = {"b"}, .target_label = "a", .action = Action::kUppercase},
                  {{"a", "x"}}),
            Labels());
}

// The quick refusal by range never refuses what the expression matches.
TEST(RuleTest, RangeAgreesWithTheExpression) {
  for (const char* regex : {"__meta_kubernetes_pod_label_(.+)", "a*b", "(?i)abc", "", "[^a]x?",
                            "é.*", "(foo|bar)baz", "^a$", "a{2,}", "\\bx"}) {
    const RE2 plain(regex);
    for (const char* text : {"", "a", "b", "ab", "aab", "ABC", "abc", "aBc", "bx", "\x7f", "é",
                             "éa", "foobaz", "barbaz", "aaa", "x", "__meta_kubernetes_pod_label_",
                             "__meta_kubernetes_pod_label_app"}) {
      const bool kept =
          Apply({.source_labels = {"v"}, .regex = regex, .action = Action::kKeep}, {{"v", text}})
              .has_value();
      EXPECT_EQ(kept, RE2::FullMatch(text, plain)) << regex << " on " << text;
    }
  }
}

// Every wrong combination of fields has its own message.
TEST(RuleTest, Messages) {
  EXPECT_EQ(CompileError({.target_label = "x", .action = Action::kHashmod}),
            "relabel configuration for hashmod requires non-zero modulus");
  EXPECT_EQ(CompileError({}),
            "relabel configuration for replace action requires 'target_label' value");
  EXPECT_EQ(CompileError({.modulus = 2, .action = Action::kHashmod}),
            "relabel configuration for hashmod action requires 'target_label' value");
  EXPECT_EQ(CompileError({.target_label = "a-b"}),
            "\"a-b\" is invalid 'target_label' for replace action");
  EXPECT_EQ(CompileError({.target_label = "0${1}"}),
            "\"0${1}\" is invalid 'target_label' for replace action");
  EXPECT_EQ(CompileError({.target_label = "${1}", .action = Action::kLowercase}),
            "\"${1}\" is invalid 'target_label' for lowercase action");
  EXPECT_EQ(CompileError({.modulus = 2, .target_label = "${1}", .action = Action::kHashmod}),
            "\"${1}\" is invalid 'target_label' for hashmod action");
  EXPECT_EQ(CompileError({.target_label = "a", .replacement = "x", .action = Action::kUppercase}),
            "'replacement' can not be set for uppercase action");
  EXPECT_EQ(CompileError({.target_label = "a", .replacement = "x", .action = Action::kDropEqual}),
            "'replacement' can not be set for dropequal action");
  EXPECT_EQ(CompileError({.replacement = "a-b", .action = Action::kLabelmap}),
            "\"a-b\" is invalid 'replacement' for labelmap action");
  EXPECT_EQ(CompileError({.target_label = "a", .action = Action::kLabeldrop}),
            "labeldrop action requires only 'regex', and no other fields");
  EXPECT_EQ(CompileError({.source_labels = {"a"}, .action = Action::kLabelkeep}),
            "labelkeep action requires only 'regex', and no other fields");
  EXPECT_EQ(
      CompileError({.regex = "x", .target_label = "a", .action = Action::kKeepEqual}),
      "keepequal action requires only 'source_labels' and 'target_label', and no other fields");
  EXPECT_EQ(CompileError({.regex = "(", .target_label = "a"}), "regex \"(\": missing ): (");
}

// Target names of replace may hold references anywhere a letter may stand.
TEST(RuleTest, ValidTargets) {
  for (const char* target : {"a", "_a9", "${1}", "$1", "a_${1}_b", "label_$name"}) {
    EXPECT_TRUE(Validate({.target_label = target}).ok()) << target;
  }
}

// Action names are lower-case.
TEST(RuleTest, ActionNames) {
  EXPECT_EQ(*ParseAction("labelmap"), Action::kLabelmap);
  EXPECT_EQ(ActionName(Action::kKeepEqual), "keepequal");
  EXPECT_EQ(ParseAction("Keep").status().message(), "unrecognized action type \"Keep\"");
}

}  // namespace
}  // namespace stoker::relabel
