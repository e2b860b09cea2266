#pragma once

#include <cstdint>

#include "bpf/shared/unwind.h"
#include "bpf/shared/unwind_memory.h"

namespace stoker::ebpf::walker {

// The memory of bpf/shared/unwind_memory.h, which user space writes and the walker reads: of the
// kernel's maps, or a test's own. Used by one thread.
class Memory {
 public:
  virtual ~Memory() = default;

  // How many chunks there may be.
  [[nodiscard]] virtual std::uint32_t max_chunks() const = 0;

  // STOKER_UNWIND_CHUNK_BYTES of memory; made when first asked for. Null past max_chunks, or when
  // the kernel has no memory. Valid until Rest.
  virtual std::uint8_t* Chunk(std::uint32_t number) = 0;

  // STOKER_UNWIND_MAX_RULES of them. Valid until Rest.
  virtual stoker_unwind_rule* Rules() = 0;

  // Gives back what pointers into the memory cost this process; the memory stays.
  virtual void Rest() = 0;

  // False when there are too many.
  virtual bool SetProcess(std::uint32_t pid, const stoker_unwind_process& process) = 0;
  virtual void RemoveProcess(std::uint32_t pid) = 0;

  // What all of it takes of the kernel's memory.
  [[nodiscard]] virtual std::uint64_t bytes() const = 0;
};

}  // namespace stoker::ebpf::walker
