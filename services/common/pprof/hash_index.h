#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace stoker::pprof {

// Finds the number of an equal thing by its hash. The things live with the caller, in an array that
// the numbers index, so that a table of strings or stacks costs 16 bytes an entry beside its data.
class HashIndex {
 public:
  HashIndex() : slots_(kFirstSlots) {}

  struct Found {
    std::uint32_t number;
    bool inserted;
  };

  // The number of the thing for which `equal(number)` holds among those of this `hash`; without
  // one, `next` is entered under the hash.
  template <typename Equal>
  Found FindOrInsert(std::uint64_t hash, std::uint32_t next, Equal&& equal) {
    if ((size_ + 1) * 4 > slots_.size() * 3) Grow();
    std::size_t at = hash & (slots_.size() - 1);
    while (slots_[at].used) {
      if (slots_[at].hash == hash && equal(slots_[at].number)) return {slots_[at].number, false};
      at = (at + 1) & (slots_.size() - 1);
    }
    slots_[at] = {.hash = hash, .number = next, .used = true};
    ++size_;
    return {next, true};
  }

  void Clear() {
    slots_.assign(kFirstSlots, Slot{});
    size_ = 0;
  }

  void Reserve(std::size_t entries) {
    while (entries * 4 > slots_.size() * 3) Grow();
  }

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t number = 0;
    bool used = false;
  };
  static constexpr std::size_t kFirstSlots = 64;

  void Grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (!slot.used) continue;
      std::size_t at = slot.hash & (slots_.size() - 1);
      while (slots_[at].used) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = slot;
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace stoker::pprof
