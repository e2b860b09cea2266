#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <absl/status/statusor.h>

#include "services/collector/ebpf/walker/memory.h"
#include "services/common/base/unique_fd.h"

namespace stoker::ebpf::walker {

// The maps of bpf/include/walk_user.h, shared by all samplers. Used by one thread.
class BpfMemory final : public Memory {
 public:
  static absl::StatusOr<std::unique_ptr<BpfMemory>> Create(
      std::uint64_t max_bytes = std::uint64_t{32} << 20);
  ~BpfMemory() override;
  BpfMemory(const BpfMemory&) = delete;
  BpfMemory& operator=(const BpfMemory&) = delete;

  // All maps, with those of one sampler, take at most about `max_bytes` of the kernel's memory.
  // What was taken before stays.
  void SetLimit(std::uint64_t max_bytes);

  // For a sampler's programs: unwind_parts, unwind_rules, unwind_processes.
  [[nodiscard]] int parts_fd() const { return outer_.get(); }
  [[nodiscard]] int rules_fd() const { return rules_.get(); }
  [[nodiscard]] int processes_fd() const { return processes_.get(); }

  [[nodiscard]] std::uint32_t max_chunks() const override { return max_chunks_; }
  std::uint8_t* Chunk(std::uint32_t number) override;
  stoker_unwind_rule* Rules() override;
  void Rest() override;
  bool SetProcess(std::uint32_t pid, const stoker_unwind_process& process) override;
  void RemoveProcess(std::uint32_t pid) override;
  [[nodiscard]] std::uint64_t bytes() const override;

  // What the other maps take, at most: the ring buffer, rules, processes, and each CPU's own.
  static std::uint64_t FixedBytes(int cpus);

 private:
  // A map of the kernel's, and where this process has it; null: nowhere.
  struct Part {
    UniqueFd fd;
    void* mapped = nullptr;
  };
  BpfMemory() = default;
  absl::Status Open();
  bool AddPart();

  std::uint32_t max_chunks_ = 0;
  UniqueFd outer_;
  UniqueFd rules_;
  UniqueFd processes_;
  void* mapped_rules_ = nullptr;
  std::vector<Part> parts_;
};

}  // namespace stoker::ebpf::walker
