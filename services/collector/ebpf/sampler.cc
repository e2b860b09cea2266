#include "services/collector/ebpf/sampler.h"

#include <cerrno>
#include <utility>
#include <vector>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf/cpu_sampler.skel.h"
#include "services/collector/ebpf/bpf_records.h"
#include "services/collector/ebpf/kernel_support.h"
#include "services/collector/ebpf/off_cpu_sampler.h"
#include "services/collector/ebpf/walker/bpf_memory.h"
#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"

namespace stoker::ebpf {
namespace {

// The timer of a CPU; none when the CPU is offline. A fixed period, not a frequency: so samples
// times period are CPU time.
absl::StatusOr<UniqueFd> OpenCpuClock(int cpu, std::int64_t period_ns) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof(attributes);
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  attributes.sample_period = static_cast<std::uint64_t>(period_ns);
  attributes.exclude_idle = 1;
  attributes.disabled = 1;
  const long fd = syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
  if (fd < 0 && errno == ENODEV) return UniqueFd();
  if (fd < 0) return ErrnoError(errno, "perf_event_open of CPU " + std::to_string(cpu));
  return UniqueFd(static_cast<int>(fd));
}

class BpfSampler final : public Sampler {
 public:
  ~BpfSampler() override {
    for (bpf_link* link : links_) bpf_link__destroy(link);
    records_.reset();
    cpu_sampler_bpf__destroy(skeleton_);
  }

  absl::Status Load(const walker::BpfMemory& memory, bool python) {
    LogLibbpf();
    skeleton_ = cpu_sampler_bpf__open();
    if (skeleton_ == nullptr) return ErrnoError(errno, "open the BPF object");
    skeleton_->rodata->walk_python = python;
    STOKER_RETURN_IF_ERROR(ShareUnwindMaps(skeleton_->maps, memory));
    if (cpu_sampler_bpf__load(skeleton_) != 0) {
      return ErrnoError(errno, "the kernel refuses the BPF programs");
    }
    const auto& maps = skeleton_->maps;
    STOKER_ASSIGN_OR_RETURN(records_,
                            BpfRecords::Open(bpf_map__fd(maps.records), bpf_map__fd(maps.stats)));
    return absl::OkStatus();
  }

  absl::Status Attach(int rate) {
    for (bpf_program* program : {skeleton_->progs.on_exec, skeleton_->progs.on_exit}) {
      bpf_link* link = bpf_program__attach(program);
      if (link == nullptr) return ErrnoError(errno, "attach to process events");
      links_.push_back(link);
    }
    const int cpus = libbpf_num_possible_cpus();
    for (int cpu = 0; cpu < cpus; ++cpu) {
      STOKER_ASSIGN_OR_RETURN(UniqueFd fd, OpenCpuClock(cpu, PeriodNs(rate)));
      if (fd.valid()) STOKER_RETURN_IF_ERROR(AttachCpu(std::move(fd)));
    }
    if (events_.empty()) return Unavailable("no CPU can be sampled");
    for (const int event : events_) ioctl(event, PERF_EVENT_IOC_ENABLE, 0);
    return absl::OkStatus();
  }

  [[nodiscard]] int wake_fd() const override { return records_->wake_fd(); }
  absl::Status Drain(SampleSink& sink) override { return records_->Drain(sink); }
  [[nodiscard]] SamplerStats ReadStats() const override { return records_->ReadStats(); }

  void Stop() override {
    for (const int event : events_) ioctl(event, PERF_EVENT_IOC_DISABLE, 0);
  }

 private:
  absl::Status AttachCpu(UniqueFd fd) {
    bpf_link* link = bpf_program__attach_perf_event(skeleton_->progs.on_cpu, fd.get());
    if (link == nullptr) return ErrnoError(errno, "attach to the CPU clock");
    // The link owns the descriptor now.
    events_.push_back(fd.release());
    links_.push_back(link);
    return absl::OkStatus();
  }

  cpu_sampler_bpf* skeleton_ = nullptr;
  std::unique_ptr<BpfRecords> records_;
  std::vector<bpf_link*> links_;
  // Owned by their links.
  std::vector<int> events_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Sampler>> Sampler::Start(const SamplerKind& kind,
                                                        walker::BpfMemory& memory) {
  if (kind.off_cpu()) return StartOffCpuSampler(kind, memory);
  STOKER_RETURN_IF_ERROR(CheckKernelSupport());
  auto sampler = std::make_unique<BpfSampler>();
  STOKER_RETURN_IF_ERROR(sampler->Load(memory, kind.python));
  STOKER_RETURN_IF_ERROR(sampler->Attach(kind.rate));
  return sampler;
}

}  // namespace stoker::ebpf
