#include "services/collector/ebpf/walker/unwinder.h"

namespace stoker::ebpf::walker {
namespace {

constexpr absl::Duration kFileSweepInterval = absl::Minutes(1);

}  // namespace

void Unwinder::OnSample(const SamplerKind& sampler, const RawSample& sample, absl::Duration now) {
  const ProcessPtr process = processes_.Find(sample, now);
  if (process->published == nullptr || process->published->image() != process->image) {
    publisher_.Publish(*process);
  }
  if (sample.deferred != nullptr) return deferred_.Add(sampler, process, sample, now);
  const bool lacked = LacksTables(sample.stop) || sample.stop == STOKER_STOP_NO_MAPPING;
  if (lacked && !sample.user.empty() && process->published != nullptr) {
    // The next stack through there will find it.
    const std::uint64_t address = sample.user.back() - (sample.user.size() > 1 ? 1 : 0);
    processes_.Need(process, address, now);
    (void)publisher_.FillPage(*process->published, address, now);
  }
  deliver_(sampler, process, sample);
}

void Unwinder::Update(absl::Duration now, bool all) {
  for (const ProcessPtr& process : processes_.Update()) publisher_.Publish(*process);
  publisher_.Update(now);
  deferred_.Run(now, all);
  publisher_.Rest();
}

void Unwinder::Sweep(absl::Duration now) {
  processes_.Sweep(now);
  if (now < next_file_sweep_) return;
  next_file_sweep_ = now + kFileSweepInterval;
  publisher_.Sweep(now);
  publisher_.Rest();
}

}  // namespace stoker::ebpf::walker
