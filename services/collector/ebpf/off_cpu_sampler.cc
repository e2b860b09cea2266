#include "services/collector/ebpf/off_cpu_sampler.h"

#include <cerrno>
#include <cstdint>
#include <ctime>
#include <utility>
#include <vector>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "bpf/off_cpu.skel.h"
#include "services/collector/ebpf/bpf_records.h"
#include "services/collector/ebpf/kernel_support.h"
#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"

namespace stoker::ebpf {
namespace {

constexpr std::uint32_t kRingBytes = 2 << 20;
constexpr std::uint32_t kBellBytes = 16384;

// Whether the tracepoint has the state that the scheduler decided by: its fourth argument, behind
// the pointer that every tracepoint's function begins with.
bool HasPreviousState() {
  btf* kernel = btf__load_vmlinux_btf();
  if (kernel == nullptr) return false;
  const auto type_of = [&](__u32 id) { return btf__type_by_id(kernel, id); };
  const int id = btf__find_by_name_kind(kernel, "btf_trace_sched_switch", BTF_KIND_TYPEDEF);
  bool has = false;
  if (id > 0) {
    const btf_type* pointer = type_of(type_of(static_cast<__u32>(id))->type);
    if (btf_is_ptr(pointer)) has = btf_vlen(type_of(pointer->type)) >= 5;
  }
  btf__free(kernel);
  return has;
}

// `threshold` in units of 1 / 2^32; 0: always.
std::uint32_t Scaled(double threshold) {
  return threshold >= 1 ? 0 : static_cast<std::uint32_t>(threshold * 4294967296.0) | 1u;
}

class OffCpuSampler final : public Sampler {
 public:
  ~OffCpuSampler() override {
    Stop();
    records_.reset();
    ring_buffer__free(bells_);
    off_cpu_bpf__destroy(skeleton_);
  }

  absl::Status Load(const SamplerKind& kind, const walker::BpfMemory& memory) {
    LogLibbpf();
    skeleton_ = off_cpu_bpf__open();
    if (skeleton_ == nullptr) return ErrnoError(errno, "open the BPF object");
    const auto& maps = skeleton_->maps;
    STOKER_RETURN_IF_ERROR(ShareUnwindMaps(maps, memory));
    skeleton_->rodata->threshold = Scaled(kind.off_cpu_threshold);
    skeleton_->rodata->walk_python = kind.python;
    skeleton_->rodata->has_previous_state = HasPreviousState();
    const int cpus = libbpf_num_possible_cpus();
    bpf_map__set_max_entries(maps.records, kRingBytes);
    bpf_map__set_max_entries(maps.bells, static_cast<__u32>(cpus));
    if (off_cpu_bpf__load(skeleton_) != 0) {
      return ErrnoError(errno, "the kernel refuses the BPF programs of off-CPU time");
    }
    for (int cpu = 0; cpu < cpus; ++cpu) STOKER_RETURN_IF_ERROR(AddBell(cpu));
    STOKER_ASSIGN_OR_RETURN(records_,
                            BpfRecords::Open(bpf_map__fd(maps.records), bpf_map__fd(maps.stats)));
    return absl::OkStatus();
  }

  absl::Status Attach() {
    // What takes the samples is there before what asks for them.
    for (bpf_program* program : {skeleton_->progs.on_exec, skeleton_->progs.on_exit,
                                 skeleton_->progs.on_interrupt, skeleton_->progs.on_switch}) {
      bpf_link* link = bpf_program__attach(program);
      if (link == nullptr) return ErrnoError(errno, "attach to the scheduler");
      links_.push_back(link);
    }
    return absl::OkStatus();
  }

  [[nodiscard]] int wake_fd() const override { return records_->wake_fd(); }

  absl::Status Drain(SampleSink& sink) override {
    // Nothing is in them, but they must not become full.
    ring_buffer__consume(bells_);
    return records_->Drain(sink);
  }

  [[nodiscard]] SamplerStats ReadStats() const override { return records_->ReadStats(); }

  void Unwanted(std::uint32_t pid, std::uint64_t start_ticks, absl::Duration duration) override {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const absl::Duration until = absl::DurationFromTimespec(now) + duration;
    const stoker_unwanted value = {
        .start_ticks = start_ticks,
        .until_ns = static_cast<std::uint64_t>(absl::ToInt64Nanoseconds(until))};
    bpf_map_update_elem(bpf_map__fd(skeleton_->maps.unwanted), &pid, &value, BPF_ANY);
  }

  void Stop() override {
    for (bpf_link* link : std::exchange(links_, {})) bpf_link__destroy(link);
  }

 private:
  absl::Status AddBell(int cpu) {
    const UniqueFd bell(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "bell", 0, 0, kBellBytes, nullptr));
    if (!bell.valid()) return ErrnoError(errno, "make a ring buffer");
    const int fd = bell.get();
    if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.bells), &cpu, &fd, BPF_ANY) != 0) {
      return ErrnoError(errno, "keep a ring buffer");
    }
    const auto ignore = [](void*, void*, std::size_t) { return 0; };
    if (bells_ == nullptr) {
      bells_ = ring_buffer__new(fd, ignore, nullptr, nullptr);
    } else if (ring_buffer__add(bells_, fd, ignore, nullptr) != 0) {
      return ErrnoError(errno, "map a ring buffer");
    }
    return bells_ == nullptr ? ErrnoError(errno, "map a ring buffer") : absl::OkStatus();
  }

  off_cpu_bpf* skeleton_ = nullptr;
  ring_buffer* bells_ = nullptr;
  std::unique_ptr<BpfRecords> records_;
  std::vector<bpf_link*> links_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Sampler>> StartOffCpuSampler(const SamplerKind& kind,
                                                            walker::BpfMemory& memory) {
  STOKER_RETURN_IF_ERROR(CheckKernelSupport());
  auto sampler = std::make_unique<OffCpuSampler>();
  STOKER_RETURN_IF_ERROR(sampler->Load(kind, memory));
  STOKER_RETURN_IF_ERROR(sampler->Attach());
  return sampler;
}

}  // namespace stoker::ebpf
