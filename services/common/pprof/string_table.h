#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/common/pprof/hash_index.h"

namespace stoker::pprof {

// Distinct strings, numbered from 0 in the order they came; "" is number 0. Their bytes lie one
// after the other in one buffer.
class StringTable {
 public:
  StringTable();

  std::uint32_t Intern(std::string_view text);

  // Valid until the next Intern.
  [[nodiscard]] std::string_view Get(std::uint32_t number) const {
    return std::string_view(bytes_).substr(ends_[number], ends_[number + 1] - ends_[number]);
  }
  [[nodiscard]] std::size_t size() const { return ends_.size() - 1; }
  [[nodiscard]] std::size_t bytes() const { return bytes_.size(); }

 private:
  std::string bytes_;
  // ends_[n] is where string n begins, ends_[n + 1] where it ends.
  std::vector<std::size_t> ends_ = {0};
  HashIndex index_;
};

}  // namespace stoker::pprof
