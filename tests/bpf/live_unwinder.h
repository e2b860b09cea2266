#pragma once

#include <functional>
#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "services/collector/ebpf/binary_store.h"
#include "services/collector/ebpf/process_source.h"
#include "services/collector/ebpf/sampler.h"
#include "services/collector/ebpf/sandbox_inspector.h"
#include "services/collector/ebpf/unwind/table_cache.h"
#include "services/collector/ebpf/walker/bpf_memory.h"
#include "services/collector/ebpf/walker/cached_tables.h"
#include "services/collector/ebpf/walker/unwinder.h"
#include "services/common/sandbox/sandbox.h"

namespace stoker::ebpf {

// The sampler, with all that feeds its walker, without components and connections. One thread.
class LiveUnwinder {
 public:
  using OnSample = std::function<void(const ProcessPtr& process, const RawSample& sample)>;

  // Tables are kept in `folder`. `on_sample` gets every sample of the machine.
  static absl::StatusOr<std::unique_ptr<LiveUnwinder>> Start(const SamplerKind& kind,
                                                             const std::string& folder,
                                                             OnSample on_sample,
                                                             std::uint64_t map_bytes = kMapBytes);

  // Lets time pass, for about `duration`.
  void Run(absl::Duration duration);
  // Takes no more samples, and hands over what there is.
  void Stop();

  [[nodiscard]] Sampler& sampler() { return *sampler_; }
  [[nodiscard]] const walker::Unwinder& unwinder() const { return unwinder_; }
  [[nodiscard]] const walker::BpfMemory& memory() const { return *memory_; }

  // May be set: what the sampler tells of processes.
  std::function<void(std::uint32_t pid)> on_exec;
  std::function<void(std::uint32_t pid)> on_exit;

  static constexpr std::uint64_t kMapBytes = std::uint64_t{32} << 20;

 private:
  struct Sink final : SampleSink {
    explicit Sink(LiveUnwinder& live) : live_(live) {}
    void OnSample(const RawSample& sample) override;
    void OnExec(std::uint32_t pid) override;
    void OnExit(std::uint32_t pid) override;
    LiveUnwinder& live_;
  };
  LiveUnwinder(const std::string& folder, OnSample on_sample,
               std::unique_ptr<walker::BpfMemory> memory);
  void Turn();

  const std::unique_ptr<walker::BpfMemory> memory_;
  sandbox::Sandbox sandbox_;
  BinaryStore store_;
  SandboxInspector inspector_;
  SystemProcessSource source_;
  unwind::TableCache cache_;
  walker::CachedTables tables_;
  walker::Unwinder unwinder_;
  Sink sink_;
  SamplerKind kind_ = 0;
  std::unique_ptr<Sampler> sampler_;
};

}  // namespace stoker::ebpf
