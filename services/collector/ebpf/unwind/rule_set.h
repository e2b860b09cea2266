#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bpf/shared/unwind.h"

namespace stoker::ebpf::unwind {

using Rule = stoker_unwind_rule;
using RuleId = std::uint16_t;

bool operator==(const Rule& a, const Rule& b);

// For people and goldens: "cfa=sp+16 bp=cfa-16 ra=cfa-8".
std::string Describe(const Rule& rule);

// The different rules of a table, numbered. One thread.
class RuleSet {
 public:
  static constexpr RuleId kNone = 0;
  static constexpr RuleId kUnsupported = 1;
  static constexpr std::size_t kMaxRules = 65'535;

  // With the rules kNone and kUnsupported.
  RuleSet();

  // The number of `rule`, which becomes a member. Past kMaxRules: kUnsupported.
  RuleId Intern(const Rule& rule);

  [[nodiscard]] const std::vector<Rule>& rules() const { return rules_; }
  // Rules that did not fit.
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  void Grow();

  std::vector<Rule> rules_;
  // Open addressing: a rule's number + 1, 0 where free. A power of two.
  std::vector<std::uint32_t> slots_;
  std::uint64_t refused_ = 0;
};

}  // namespace stoker::ebpf::unwind
