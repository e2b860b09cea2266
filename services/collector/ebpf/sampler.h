#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "bpf/shared/records.h"
#include "bpf/shared/stats.h"

namespace stoker::ebpf {

namespace walker {
class BpfMemory;
}

// What is needed to unwind a user stack later: registers, and a part of the stack's memory.
struct RawStack {
  stoker_registers registers{};
  std::uint64_t address = 0;
  std::span<const std::uint8_t> bytes;
};

// One stack as it was taken. The spans live as long as the call that hands it over.
struct RawSample {
  std::uint32_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::uint32_t tid = 0;
  // The thread's name, at most 15 bytes of anything.
  std::string_view comm;
  stoker_stop stop = STOKER_STOP_COMPLETE;
  // Of a thread that was not on a CPU: why, and the nanoseconds that the sample stands for.
  stoker_wait wait = STOKER_WAIT_NONE;
  std::uint64_t value = 0;
  // Addresses, the innermost first: the instruction, then return addresses. Among those of the user
  // are words of bpf/shared/interpreter_frame.h.
  std::span<const __u64> kernel;
  std::span<const __u64> user;
  // Set: `user` is only the instruction, and the stack is to be unwound from here.
  const RawStack* deferred = nullptr;
};

// What comes out of the kernel, in the order in which it happened.
class SampleSink {
 public:
  virtual ~SampleSink() = default;
  virtual void OnSample(const RawSample& sample) = 0;
  // The process has a new image.
  virtual void OnExec(std::uint32_t pid) = 0;
  virtual void OnExit(std::uint32_t pid) = 0;
};

// Counters of the BPF program since it was loaded, by stoker_sampler_stat.
using SamplerStats = std::array<std::uint64_t, STOKER_STAT_COUNT>;

// What a sampler samples: CPU time, at a fixed period of each CPU's clock; or the time that threads
// are not on a CPU.
struct SamplerKind {
  // Of CPU time, by its rate alone.
  SamplerKind(int samples_a_second) : rate(samples_a_second) {}  // NOLINT: where rates are meant.
  static SamplerKind OffCpu(double threshold) {
    SamplerKind kind(0);
    kind.off_cpu_threshold = threshold;
    return kind;
  }
  [[nodiscard]] bool off_cpu() const { return off_cpu_threshold > 0; }

  // Samples a second and CPU.
  int rate = 0;
  // The most that a wait is sampled with, 0 to 1.
  double off_cpu_threshold = 0;
  // Whether Python's frames are told from those of its interpreter.
  bool python = true;
  auto operator<=>(const SamplerKind&) const = default;
};

// Owned by one thread.
class Sampler {
 public:
  // Loads and attaches the programs. An error says in one sentence what the kernel or the process
  // lacks.
  // Walks stacks by what is in `memory`, which samplers share.
  static absl::StatusOr<std::unique_ptr<Sampler>> Start(const SamplerKind& kind,
                                                        walker::BpfMemory& memory);
  virtual ~Sampler() = default;

  // Nanoseconds of CPU time that a sample stands for.
  [[nodiscard]] static std::int64_t PeriodNs(int rate) { return 1'000'000'000 / rate; }

  // Readable when a process was sampled that nobody knows yet.
  [[nodiscard]] virtual int wake_fd() const = 0;

  // Hands over all records there are.
  virtual absl::Status Drain(SampleSink& sink) = 0;

  [[nodiscard]] virtual SamplerStats ReadStats() const = 0;

  // Nobody wants samples of that process: for so long it may leave them out.
  virtual void Unwanted(std::uint32_t pid, std::uint64_t start_ticks, absl::Duration duration) {
    (void)pid;
    (void)start_ticks;
    (void)duration;
  }

  // Takes no further samples; what was taken can still be drained.
  virtual void Stop() = 0;
};

}  // namespace stoker::ebpf
