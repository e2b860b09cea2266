#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace stoker::store {

// Knows the number of each whole stack that came before, so that one that comes again (nearly all
// of them) is found at once and not frame by frame. A stack is known by a 128-bit hash of its
// locations under a random seed: nobody can make two stacks meet who does not know the seed, and
// by chance it does not happen. So a lookup touches one place of memory, which Prefetch announces.
class StackIndex {
 public:
  struct Key {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    bool operator==(const Key&) const = default;
  };
  static constexpr std::uint32_t kUnknown = UINT32_MAX;

  explicit StackIndex(std::uint64_t seed) : seed_(seed), slots_(kFirstSlots) {}

  // Of a stack's locations, in their order.
  [[nodiscard]] Key KeyOf(std::span<const std::uint32_t> locations) const;
  void Prefetch(const Key& key) const { __builtin_prefetch(&slots_[key.low & mask()]); }

  // The stack's number, kUnknown when it did not come before.
  [[nodiscard]] std::uint32_t Find(const Key& key) const { return slots_[SlotOf(key)].stack; }
  // `key` is not there yet.
  void Insert(const Key& key, std::uint32_t stack);

  // What it occupies in memory.
  [[nodiscard]] std::size_t bytes() const { return slots_.size() * sizeof(Slot); }

 private:
  struct Slot {
    Key key;
    // kUnknown in a free slot.
    std::uint32_t stack = kUnknown;
  };
  static constexpr std::size_t kFirstSlots = 256;

  [[nodiscard]] std::size_t mask() const { return slots_.size() - 1; }
  // The slot that holds `key`, else the free one where it belongs.
  [[nodiscard]] std::size_t SlotOf(const Key& key) const;
  void Grow();

  std::uint64_t seed_;
  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace stoker::store
