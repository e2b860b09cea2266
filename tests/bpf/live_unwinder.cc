#include "tests/bpf/live_unwinder.h"

#include <utility>

#include <absl/time/clock.h>
#include <poll.h>

#include "services/collector/ebpf/unwind/table_job.h"
#include "services/common/base/status.h"

namespace stoker::ebpf {
namespace {

constexpr int kTurnMs = 5;

absl::Duration Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace

void LiveUnwinder::Sink::OnSample(const RawSample& sample) {
  live_.unwinder_.OnSample(live_.kind_, sample, Now());
}

void LiveUnwinder::Sink::OnExec(std::uint32_t pid) {
  live_.unwinder_.OnExec(pid);
  if (live_.on_exec) live_.on_exec(pid);
}

void LiveUnwinder::Sink::OnExit(std::uint32_t pid) {
  live_.unwinder_.OnExit(pid);
  if (live_.on_exit) live_.on_exit(pid);
}

LiveUnwinder::LiveUnwinder(const std::string& folder, OnSample on_sample,
                           std::unique_ptr<walker::BpfMemory> memory)
    : memory_(std::move(memory)),
      sandbox_({.memory_bytes = unwind::kTableWorkerBytes}),
      store_(4096),
      inspector_(sandbox_, store_),
      cache_({.folder = folder, .on_ready = {}}, sandbox_),
      tables_(cache_),
      unwinder_(source_, inspector_, *memory_, tables_,
                [on_sample = std::move(on_sample)](const SamplerKind&, const ProcessPtr& process,
                                                   const RawSample& sample) {
                  on_sample(process, sample);
                }),
      sink_(*this) {}

absl::StatusOr<std::unique_ptr<LiveUnwinder>> LiveUnwinder::Start(const SamplerKind& kind,
                                                                  const std::string& folder,
                                                                  OnSample on_sample,
                                                                  std::uint64_t map_bytes) {
  STOKER_ASSIGN_OR_RETURN(auto memory, walker::BpfMemory::Create(map_bytes));
  std::unique_ptr<LiveUnwinder> live(
      new LiveUnwinder(folder, std::move(on_sample), std::move(memory)));
  STOKER_ASSIGN_OR_RETURN(live->sampler_, Sampler::Start(kind, *live->memory_));
  live->kind_ = kind;
  return live;
}

void LiveUnwinder::Turn() {
  (void)sampler_->Drain(sink_);
  unwinder_.Update(Now(), false);
}

void LiveUnwinder::Run(absl::Duration duration) {
  const absl::Time end = absl::Now() + duration;
  absl::Time next_sweep = absl::Now() + absl::Seconds(1);
  while (absl::Now() < end) {
    pollfd wake{.fd = sampler_->wake_fd(), .events = POLLIN};
    poll(&wake, 1, unwinder_.Waiting() ? kTurnMs : 10 * kTurnMs);
    Turn();
    if (absl::Now() < next_sweep) continue;
    next_sweep = absl::Now() + absl::Seconds(1);
    unwinder_.Sweep(Now());
  }
}

void LiveUnwinder::Stop() {
  sampler_->Stop();
  Turn();
  unwinder_.Update(Now(), true);
}

}  // namespace stoker::ebpf
