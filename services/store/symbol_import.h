#pragma once

#include <cstdint>
#include <vector>

#include "services/common/pprof/profile.h"
#include "services/store/stack_index.h"
#include "services/store/symbols.h"

namespace stoker::store {

// Enters the code that a pprof's samples refer to into a block's symbols, each thing at its first
// use. Where lines name a location, its address says nothing more and goes, so that equal code of
// several processes is one; an address that nobody has named stays, to be named later.
class SymbolImport {
 public:
  // `stacks` knows what came into `symbols` before.
  SymbolImport(const pprof::Profile& profile, Symbols& symbols, StackIndex& stacks);

  // The stacks of those samples for which `wanted` holds, all of whose locations are there;
  // Symbols::kNone for the others.
  std::vector<std::uint32_t> Stacks(const std::vector<bool>& wanted);

 private:
  static constexpr std::uint32_t kNotYet = UINT32_MAX - 1;

  // Symbols::kNone for a location that says nothing.
  std::uint32_t Location(std::uint32_t index);
  std::uint32_t Mapping(std::uint32_t index);
  std::uint32_t Function(std::uint32_t index);
  std::uint32_t String(std::uint32_t index);

  // Locations of one sample's stack in the block's numbers.
  struct Pending {
    std::uint32_t sample = 0;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    StackIndex::Key key;
  };

  const pprof::Profile& profile_;
  Symbols& symbols_;
  StackIndex& known_;
  std::vector<std::uint32_t> strings_;
  std::vector<std::uint32_t> mappings_;
  std::vector<std::uint32_t> functions_;
  std::vector<std::uint32_t> locations_;
  std::vector<Symbols::Line> lines_;
};

// Enters what stacks of one block refer to into the symbols of another.
class SymbolCopy {
 public:
  SymbolCopy(const Symbols& from, Symbols& to);

  // The number in `to` of a stack of `from`.
  std::uint32_t Stack(std::uint32_t stack);

 private:
  std::uint32_t Location(std::uint32_t location);
  std::uint32_t Function(std::uint32_t function);
  std::uint32_t String(std::uint32_t string) { return to_.InternString(from_.String(string)); }

  const Symbols& from_;
  Symbols& to_;
  std::vector<std::uint32_t> functions_;
  std::vector<std::uint32_t> locations_;
  std::vector<std::uint32_t> stacks_;
  std::vector<Symbols::Line> lines_;
  std::vector<std::uint32_t> path_;
};

}  // namespace stoker::store
