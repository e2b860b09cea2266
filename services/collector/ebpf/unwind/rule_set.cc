#include "services/collector/ebpf/unwind/rule_set.h"

#include <cstring>

#include <fmt/format.h>

namespace stoker::ebpf::unwind {
namespace {

static_assert(sizeof(Rule) == 16);

struct Words {
  std::uint64_t low;
  std::uint64_t high;
};

Words ToWords(const Rule& rule) {
  Words words;
  std::memcpy(&words, &rule, sizeof words);
  return words;
}

std::uint64_t Hash(const Rule& rule) {
  const Words words = ToWords(rule);
  std::uint64_t hash = (words.low ^ (words.high * 0x9e3779b97f4a7c15)) * 0xff51afd7ed558ccd;
  return hash ^ (hash >> 29);
}

std::string Register(unsigned number) { return fmt::format("r{}", number); }

std::string Cfa(const Rule& rule) {
  const std::string general = Register(rule.registers & 0xf);
  switch (rule.cfa) {
    case STOKER_CFA_NONE:
      return "none";
    case STOKER_CFA_END:
      return "end";
    case STOKER_CFA_SP:
      return fmt::format("cfa=sp{:+}", rule.cfa_offset);
    case STOKER_CFA_BP:
      return fmt::format("cfa=bp{:+}", rule.cfa_offset);
    case STOKER_CFA_AT_SP:
      return fmt::format("cfa=*(sp{:+}){:+}", rule.cfa_offset, rule.extra);
    case STOKER_CFA_AT_BP:
      return fmt::format("cfa=*(bp{:+}){:+}", rule.cfa_offset, rule.extra);
    case STOKER_CFA_REGISTER:
      return fmt::format("cfa={}{:+}", general, rule.cfa_offset);
    case STOKER_CFA_AT_REGISTER:
      return fmt::format("cfa=*({}{:+}){:+}", general, rule.cfa_offset, rule.extra);
    case STOKER_CFA_PLT:
      return fmt::format("plt sp{:+} from {}", rule.cfa_offset, rule.extra);
    case STOKER_CFA_SIGNAL:
      return fmt::format("signal ucontext=sp{:+}", rule.cfa_offset);
    case STOKER_CFA_FRAME_POINTER:
      return "frame pointer";
    case STOKER_CFA_UNSUPPORTED:
      return "unsupported";
    default:
      return fmt::format("cfa {}?", rule.cfa);
  }
}

std::string Bp(const Rule& rule) {
  switch (rule.bp) {
    case STOKER_BP_SAME:
      return "";
    case STOKER_BP_AT_CFA:
      return fmt::format(" bp=*(cfa{:+})", rule.bp_offset);
    case STOKER_BP_AT_BP:
      return fmt::format(" bp=*(bp{:+})", rule.bp_offset);
    case STOKER_BP_UNKNOWN:
      return " bp=?";
    default:
      return fmt::format(" bp {}?", rule.bp);
  }
}

}  // namespace

bool operator==(const Rule& a, const Rule& b) {
  const Words left = ToWords(a);
  const Words right = ToWords(b);
  return left.low == right.low && left.high == right.high;
}

std::string Describe(const Rule& rule) {
  std::string text = Cfa(rule) + Bp(rule);
  if (rule.ra == STOKER_RA_REGISTER) text += " ra=" + Register(rule.registers >> 4);
  return text;
}

RuleSet::RuleSet() : slots_(1024, 0) {
  Intern({.cfa = STOKER_CFA_NONE});
  Intern({.cfa = STOKER_CFA_UNSUPPORTED});
}

RuleId RuleSet::Intern(const Rule& rule) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = Hash(rule) & mask;
  for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
    const std::uint32_t number = slots_[slot] - 1;
    if (rules_[number] == rule) return static_cast<RuleId>(number);
  }
  if (rules_.size() >= kMaxRules) {
    ++refused_;
    return kUnsupported;
  }
  rules_.push_back(rule);
  slots_[slot] = static_cast<std::uint32_t>(rules_.size());
  const auto number = static_cast<RuleId>(rules_.size() - 1);
  if (rules_.size() * 2 > slots_.size()) Grow();
  return number;
}

void RuleSet::Grow() {
  slots_.assign(slots_.size() * 2, 0);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    std::size_t slot = Hash(rules_[i]) & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = static_cast<std::uint32_t>(i + 1);
  }
}

}  // namespace stoker::ebpf::unwind
