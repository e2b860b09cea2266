#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <elf.h>

#include "services/collector/ebpf/unwind/rule_set.h"
#include "services/collector/ebpf/unwind/table_builder.h"
#include "services/collector/ebpf/walker/table_source.h"

namespace stoker::ebpf::walker {

// Makes the unwind table of a test: a rule from an address on, until the next.
class TableBuilder {
 public:
  TableBuilder& Add(std::uint64_t address, const stoker_unwind_rule& rule) {
    rows_[address] = rule;
    return *this;
  }

  [[nodiscard]] TablePtr Build() const {
    // Rule 0 is none.
    unwind::TableContent content{.machine = EM_X86_64, .rules = {stoker_unwind_rule{}}};
    for (auto row = rows_.begin(); row != rows_.end();) {
      AddPage(content, row->first >> STOKER_UNWIND_PAGE_BITS, row);
    }
    return *unwind::Table::FromBytes(unwind::ToBytes(content));
  }

 private:
  using Row = std::map<std::uint64_t, stoker_unwind_rule>::const_iterator;

  template <typename T>
  static void Append(std::string& bytes, const T& value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }

  // One entry a row, so that more than 256 rows need wide numbers.
  void AddPage(unwind::TableContent& content, std::uint64_t number, Row& row) const {
    std::string& bytes = content.bodies;
    bytes.resize((bytes.size() + 7) / 8 * 8);
    unwind::TablePage page{.number = static_cast<std::uint32_t>(number), .offset = bytes.size()};
    std::vector<std::uint16_t> lows;
    const auto add = [&](std::uint64_t low, const stoker_unwind_rule& rule) {
      lows.push_back(static_cast<std::uint16_t>(low));
      const auto known =
          std::find_if(content.rules.begin(), content.rules.end(),
                       [&](const unwind::Rule& other) { return unwind::operator==(other, rule); });
      const auto index = static_cast<__u16>(known - content.rules.begin());
      if (known == content.rules.end()) content.rules.push_back(rule);
      Append(bytes, stoker_unwind_entry{.rule = {index, 0, 0}});
    };
    if (row->first % STOKER_UNWIND_PAGE_BYTES != 0) {
      add(0, row == rows_.begin() ? stoker_unwind_rule{} : std::prev(row)->second);
    }
    for (; row != rows_.end() && row->first >> STOKER_UNWIND_PAGE_BITS == number; ++row) {
      add(row->first % STOKER_UNWIND_PAGE_BYTES, row->second);
    }
    for (const std::uint16_t low : lows) Append(bytes, low);
    for (std::size_t i = 0; i < lows.size(); ++i) {
      if (lows.size() > 256) {
        Append(bytes, static_cast<std::uint16_t>(i));
      } else {
        Append(bytes, static_cast<std::uint8_t>(i));
      }
    }
    page.row_count = page.entry_count = static_cast<std::uint16_t>(lows.size());
    content.pages.push_back(page);
  }

  std::map<std::uint64_t, stoker_unwind_rule> rows_;
};

}  // namespace stoker::ebpf::walker
