#include "services/common/pprof/string_table.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace stoker::pprof {

StringTable::StringTable() { Intern(""); }

std::uint32_t StringTable::Intern(std::string_view text) {
  const auto next = static_cast<std::uint32_t>(size());
  const auto found = index_.FindOrInsert(XXH3_64bits(text.data(), text.size()), next,
                                         [&](std::uint32_t number) { return Get(number) == text; });
  if (found.inserted) {
    bytes_ += text;
    ends_.push_back(bytes_.size());
  }
  return found.number;
}

}  // namespace stoker::pprof
