#pragma once

#include <cstdint>
#include <deque>
#include <map>

#include <absl/time/time.h>

#include "services/collector/ebpf/walker/memory.h"

namespace stoker::ebpf::walker {

// Shares out the places of a Memory. What is freed is not given out again before the walker, which
// may still read it, must have ended. Used by one thread.
class Arena {
 public:
  // Borrows the memory.
  explicit Arena(Memory& memory) : memory_(memory) {}

  // A place for that many bytes, at most STOKER_UNWIND_CHUNK_BYTES, in one chunk; 0 when there is
  // none. The bytes may be anything.
  std::uint32_t Allocate(std::size_t bytes);

  // Gives back what Allocate gave for so many bytes.
  void Free(std::uint32_t place, std::size_t bytes, absl::Duration now);

  // Makes what was freed long enough ago available.
  void Reclaim(absl::Duration now);

  // Null when the kernel has no memory for it.
  [[nodiscard]] std::uint8_t* At(std::uint32_t place);

  // Bytes given out.
  [[nodiscard]] std::uint64_t used_bytes() const { return used_units_ * 16; }
  // True when freed bytes wait to become available.
  [[nodiscard]] bool reclaiming() const { return !freed_.empty(); }

  // No walk takes nearly so long: it runs with interrupts off.
  static constexpr absl::Duration kQuarantine = absl::Milliseconds(50);

 private:
  struct Freed {
    std::uint32_t place = 0;
    std::uint32_t units = 0;
    absl::Duration when;
  };
  void Return(std::uint32_t place, std::uint32_t units);

  Memory& memory_;
  std::uint32_t chunks_ = 0;
  // Free ranges, by place; none crosses a chunk.
  std::map<std::uint32_t, std::uint32_t> free_;
  std::deque<Freed> freed_;
  std::uint64_t used_units_ = 0;
};

}  // namespace stoker::ebpf::walker
