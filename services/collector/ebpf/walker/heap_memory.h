#pragma once

#include <map>
#include <memory>
#include <vector>

#include "services/collector/ebpf/walker/memory.h"

namespace stoker::ebpf::walker {

// Memory of this process, for tests.
class HeapMemory final : public Memory {
 public:
  explicit HeapMemory(std::uint32_t max_chunks = 64)
      : max_chunks_(max_chunks), rules_(STOKER_UNWIND_MAX_RULES) {}

  [[nodiscard]] std::uint32_t max_chunks() const override { return max_chunks_; }
  std::uint8_t* Chunk(std::uint32_t number) override {
    if (number >= max_chunks_) return nullptr;
    auto& chunk = chunks_[number];
    if (chunk == nullptr) chunk = std::make_unique<Bytes>();
    return chunk->bytes;
  }
  stoker_unwind_rule* Rules() override { return rules_.data(); }
  void Rest() override {}
  bool SetProcess(std::uint32_t pid, const stoker_unwind_process& process) override {
    processes[pid] = process;
    return true;
  }
  void RemoveProcess(std::uint32_t pid) override { processes.erase(pid); }
  [[nodiscard]] std::uint64_t bytes() const override {
    return chunks_.size() * STOKER_UNWIND_CHUNK_BYTES;
  }

  std::map<std::uint32_t, stoker_unwind_process> processes;

 private:
  struct alignas(16) Bytes {
    std::uint8_t bytes[STOKER_UNWIND_CHUNK_BYTES] = {};
  };
  const std::uint32_t max_chunks_;
  std::map<std::uint32_t, std::unique_ptr<Bytes>> chunks_;
  std::vector<stoker_unwind_rule> rules_;
};

}  // namespace stoker::ebpf::walker
