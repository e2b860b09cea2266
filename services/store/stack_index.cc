#include "services/store/stack_index.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace stoker::store {

StackIndex::Key StackIndex::KeyOf(std::span<const std::uint32_t> locations) const {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(locations.data(), locations.size_bytes(), seed_);
  return {.low = hash.low64, .high = hash.high64};
}

std::size_t StackIndex::SlotOf(const Key& key) const {
  std::size_t at = key.low & mask();
  while (slots_[at].stack != kUnknown && slots_[at].key != key) at = (at + 1) & mask();
  return at;
}

void StackIndex::Insert(const Key& key, std::uint32_t stack) {
  if ((size_ + 1) * 3 > slots_.size() * 2) Grow();
  slots_[SlotOf(key)] = {.key = key, .stack = stack};
  ++size_;
}

void StackIndex::Grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.stack != kUnknown) slots_[SlotOf(slot.key)] = slot;
  }
}

}  // namespace stoker::store
