#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/common/pprof/hash_index.h"

namespace stoker::pprof {

// Distinct strings, numbered from 0 in the order they came; "" is number 0. Their bytes lie one
// after the other in one buffer.
class StringTable {
 public:
  StringTable();
  // A table for reading, of a table's concatenated strings and where each begins (and the last
  // ends): Intern does not find what is there.
  StringTable(std::string bytes, std::vector<std::size_t> ends)
      : bytes_(std::move(bytes)), ends_(std::move(ends)) {}

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
