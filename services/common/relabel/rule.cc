#include "services/common/relabel/rule.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include <openssl/evp.h>

#include "services/common/base/status.h"
#include "services/common/relabel/letter_case.h"

namespace stoker::relabel {
namespace {

using config::RelabelRule;
using Action = RelabelRule::Action;

// Bounds the memory of one compiled expression.
constexpr std::int64_t kMaxRegexMemory = 8 << 20;

bool IsLabelName(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  });
}

// A label name that may hold references to groups. Source: Prometheus' relabelTargetLegacy.
bool IsLabelNameTemplate(const std::string& text) {
  static const RE2 pattern(R"((?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+)");
  return RE2::FullMatch(text, pattern);
}

bool ComparesEqual(Action action) {
  return action == Action::kKeepEqual || action == Action::kDropEqual;
}

bool NeedsTarget(Action action) {
  return action == Action::kReplace || action == Action::kHashmod || action == Action::kLowercase ||
         action == Action::kUppercase || ComparesEqual(action);
}

absl::Status ValidateTarget(const RelabelRule& rule) {
  const std::string_view action = ActionName(rule.action);
  if (!NeedsTarget(rule.action)) return absl::OkStatus();
  if (rule.target_label.empty()) {
    return InvalidArgument("relabel configuration for {} action requires 'target_label' value",
                           action);
  }
  const bool is_template =
      rule.action == Action::kReplace && rule.target_label.find('$') != std::string::npos;
  if (is_template ? !IsLabelNameTemplate(rule.target_label) : !IsLabelName(rule.target_label)) {
    return InvalidArgument("\"{}\" is invalid 'target_label' for {} action", rule.target_label,
                           action);
  }
  return absl::OkStatus();
}

absl::Status ValidateReplacement(const RelabelRule& rule) {
  const std::string_view action = ActionName(rule.action);
  const bool takes_none = rule.action == Action::kLowercase || rule.action == Action::kUppercase ||
                          ComparesEqual(rule.action);
  if (takes_none && rule.replacement != RelabelRule().replacement) {
    return InvalidArgument("'replacement' can not be set for {} action", action);
  }
  if (rule.action == Action::kLabelmap && !IsLabelNameTemplate(rule.replacement)) {
    return InvalidArgument("\"{}\" is invalid 'replacement' for {} action", rule.replacement,
                           action);
  }
  return absl::OkStatus();
}

absl::Status ValidateUnusedFields(const RelabelRule& rule) {
  const RelabelRule defaults;
  const std::string_view action = ActionName(rule.action);
  const bool changed = rule.modulus != defaults.modulus || rule.separator != defaults.separator;
  if (ComparesEqual(rule.action) && (changed || rule.regex != defaults.regex)) {
    return InvalidArgument(
        "{} action requires only 'source_labels' and 'target_label', and no other fields", action);
  }
  const bool of_names = rule.action == Action::kLabeldrop || rule.action == Action::kLabelkeep;
  if (of_names && (changed || !rule.source_labels.empty() || !rule.target_label.empty() ||
                   rule.replacement != defaults.replacement)) {
    return InvalidArgument("{} action requires only 'regex', and no other fields", action);
  }
  return absl::OkStatus();
}

constexpr std::array<std::pair<std::string_view, Action>, 11> kActions = {{
    {"replace", Action::kReplace},
    {"keep", Action::kKeep},
    {"drop", Action::kDrop},
    {"keepequal", Action::kKeepEqual},
    {"dropequal", Action::kDropEqual},
    {"hashmod", Action::kHashmod},
    {"labelmap", Action::kLabelmap},
    {"labeldrop", Action::kLabeldrop},
    {"labelkeep", Action::kLabelkeep},
    {"lowercase", Action::kLowercase},
    {"uppercase", Action::kUppercase},
}};

// The last 8 bytes of the MD5 digest, big-endian.
std::uint64_t Md5Tail(std::string_view text) {
  std::array<unsigned char, 16> digest{};
  EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_md5(), nullptr);
  std::uint64_t tail = 0;
  for (std::size_t i = 8; i < digest.size(); ++i) tail = tail << 8 | digest[i];
  return tail;
}

}  // namespace

absl::StatusOr<Action> ParseAction(std::string_view name) {
  for (const auto& [known, action] : kActions) {
    if (known == name) return action;
  }
  return InvalidArgument("unrecognized action type \"{}\"", name);
}

std::string_view ActionName(Action action) {
  return std::find_if(kActions.begin(), kActions.end(),
                      [action](const auto& entry) { return entry.second == action; })
      ->first;
}

absl::Status Validate(const RelabelRule& rule) {
  if (rule.action == Action::kHashmod && rule.modulus == 0) {
    return InvalidArgument("relabel configuration for hashmod requires non-zero modulus");
  }
  STOKER_RETURN_IF_ERROR(ValidateTarget(rule));
  STOKER_RETURN_IF_ERROR(ValidateReplacement(rule));
  return ValidateUnusedFields(rule);
}

absl::StatusOr<Rule> Rule::Compile(const RelabelRule& rule) {
  STOKER_RETURN_IF_ERROR(Validate(rule));
  RE2::Options options(RE2::Quiet);
  options.set_dot_nl(true);
  options.set_max_mem(kMaxRegexMemory);
  auto regex = std::make_unique<const RE2>(rule.regex, options);
  if (!regex->ok()) return InvalidArgument("regex \"{}\": {}", rule.regex, regex->error());
  return Rule(rule, std::move(regex));
}

Rule::Rule(const RelabelRule& rule, std::unique_ptr<const RE2> regex)
    : rule_(rule),
      regex_(std::move(regex)),
      match_all_(rule.regex == RelabelRule().regex || rule.regex == ".*"),
      target_(rule.target_label, *regex_),
      replacement_(rule.replacement, *regex_) {
  constexpr int kRangeLength = 64;
  has_range_ = regex_->PossibleMatchRange(&first_match_, &last_match_, kRangeLength);
}

bool Rule::Apply(model::LabelEditor& labels) const {
  switch (rule_.action) {
    case Action::kReplace:
      Replace(labels);
      return true;
    case Action::kKeep:
      return Matches(SourceValue(labels));
    case Action::kDrop:
      return !Matches(SourceValue(labels));
    case Action::kKeepEqual:
      return SourceValue(labels) == labels.Get(rule_.target_label);
    case Action::kDropEqual:
      return SourceValue(labels) != labels.Get(rule_.target_label);
    case Action::kHashmod:
      Hashmod(labels);
      return true;
    case Action::kLabelmap:
      MapNames(labels);
      return true;
    case Action::kLabeldrop:
      EraseNames(labels, true);
      return true;
    case Action::kLabelkeep:
      EraseNames(labels, false);
      return true;
    case Action::kLowercase:
      labels.Set(rule_.target_label, ToLower(SourceValue(labels)));
      return true;
    case Action::kUppercase:
      labels.Set(rule_.target_label, ToUpper(SourceValue(labels)));
      return true;
  }
  return true;
}

std::string Rule::SourceValue(const model::LabelEditor& labels) const {
  std::string value;
  bool first = true;
  for (const std::string& name : rule_.source_labels) {
    if (!first) value += rule_.separator;
    first = false;
    value += labels.Get(name);
  }
  return value;
}

bool Rule::InRange(std::string_view text) const {
  return !has_range_ || (text >= first_match_ && text <= last_match_);
}

bool Rule::Matches(std::string_view text) const {
  if (match_all_) return true;
  if (!InRange(text)) return false;
  return regex_->Match({text.data(), text.size()}, 0, text.size(), RE2::ANCHOR_BOTH, nullptr, 0);
}

bool Rule::Match(std::string_view text, std::vector<std::string_view>& groups) const {
  const int count = regex_->NumberOfCapturingGroups() + 1;
  if (match_all_) {
    groups.assign(static_cast<std::size_t>(count), text);
    return true;
  }
  if (!InRange(text)) return false;
  std::vector<re2::StringPiece> pieces(static_cast<std::size_t>(count));
  if (!regex_->Match({text.data(), text.size()}, 0, text.size(), RE2::ANCHOR_BOTH, pieces.data(),
                     count)) {
    return false;
  }
  groups.clear();
  for (const re2::StringPiece& piece : pieces) groups.emplace_back(piece.data(), piece.size());
  return true;
}

void Rule::Replace(model::LabelEditor& labels) const {
  const std::string value = SourceValue(labels);
  std::vector<std::string_view> groups;
  if (!Match(value, groups)) return;
  const std::string target = target_.Expand(groups);
  if (!IsLabelName(target)) return;
  const std::string replacement = replacement_.Expand(groups);
  // Text that is taken over whole is shared, not copied.
  if (rule_.source_labels.size() == 1 && replacement == value) {
    labels.Set(target, labels.ValueOf(rule_.source_labels.front()));
  } else {
    labels.Set(target, replacement);
  }
}

void Rule::Hashmod(model::LabelEditor& labels) const {
  labels.Set(rule_.target_label, std::to_string(Md5Tail(SourceValue(labels)) % rule_.modulus));
}

void Rule::MapNames(model::LabelEditor& labels) const {
  // New names take no part in the mapping; of two that map to one name the later wins.
  std::vector<std::pair<std::string, model::LabelEditor::Value>> mapped;
  std::vector<std::string_view> groups;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (!Match(labels.At(i).name, groups)) continue;
    mapped.emplace_back(replacement_.Expand(groups), labels.ValueAt(i));
  }
  for (const auto& [name, value] : mapped) {
    if (!name.empty()) labels.Set(name, value);
  }
}

void Rule::EraseNames(model::LabelEditor& labels, bool matching) const {
  labels.EraseIf([this, matching](std::string_view name) { return Matches(name) == matching; });
}

}  // namespace stoker::relabel
