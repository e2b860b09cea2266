#include "services/collector/ebpf/sampler.h"

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf/cpu_sampler.skel.h"
#include "services/collector/ebpf/kernel_support.h"
#include "services/collector/ebpf/walker/bpf_memory.h"
#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"
#include "services/common/log/log.h"

namespace stoker::ebpf {
namespace {

int LogLibbpf(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  std::array<char, 1024> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  text[std::strcspn(text.data(), "\n")] = '\0';
  log::Debug("libbpf", {{"text", text.data()}});
  return 0;
}

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

// Field 22 of /proc/PID/stat counts in units of 1/100 s (USER_HZ), rounded down.
std::uint64_t ToTicks(std::uint64_t ns) { return ns / 10'000'000; }

std::string_view Comm(const stoker_record& record) {
  return {record.comm, strnlen(record.comm, sizeof(record.comm))};
}

class BpfSampler final : public Sampler {
 public:
  ~BpfSampler() override {
    for (bpf_link* link : links_) bpf_link__destroy(link);
    if (ring_ != nullptr) ring_buffer__free(ring_);
    cpu_sampler_bpf__destroy(skeleton_);
  }

  absl::Status Load(const walker::BpfMemory& memory) {
    libbpf_set_print(LogLibbpf);
    skeleton_ = cpu_sampler_bpf__open();
    if (skeleton_ == nullptr) return ErrnoError(errno, "open the BPF object");
    const auto& maps = skeleton_->maps;
    for (const auto& [map, fd] : {std::pair(maps.unwind_parts, memory.parts_fd()),
                                  std::pair(maps.unwind_rules, memory.rules_fd()),
                                  std::pair(maps.unwind_processes, memory.processes_fd())}) {
      if (bpf_map__reuse_fd(map, fd) != 0) return ErrnoError(errno, "share the unwind tables");
    }
    if (cpu_sampler_bpf__load(skeleton_) != 0) {
      return ErrnoError(errno, "the kernel refuses the BPF programs");
    }
    ring_ = ring_buffer__new(bpf_map__fd(skeleton_->maps.records), &BpfSampler::OnRecord, this,
                             nullptr);
    if (ring_ == nullptr) return ErrnoError(errno, "map the ring buffer");
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

  [[nodiscard]] int wake_fd() const override { return ring_buffer__epoll_fd(ring_); }

  absl::Status Drain(SampleSink& sink) override {
    sink_ = &sink;
    const int consumed = ring_buffer__consume(ring_);
    sink_ = nullptr;
    if (consumed < 0) return ErrnoError(-consumed, "read the ring buffer");
    return absl::OkStatus();
  }

  [[nodiscard]] SamplerStats ReadStats() const override {
    SamplerStats stats{};
    std::vector<std::uint64_t> values(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    for (std::uint32_t key = 0; key < stats.size(); ++key) {
      if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.stats), &key, values.data()) != 0)
        continue;
      for (const std::uint64_t value : values) stats[key] += value;
    }
    return stats;
  }

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

  static int OnRecord(void* self, void* data, std::size_t size) {
    static_cast<BpfSampler*>(self)->Dispatch(data, size);
    return 0;
  }

  void Dispatch(const void* data, std::size_t size) {
    if (size < sizeof(stoker_record)) return;
    const auto* record = static_cast<const stoker_record*>(data);
    if (record->kind == STOKER_RECORD_EXEC) return sink_->OnExec(record->pid);
    if (record->kind == STOKER_RECORD_EXIT) return sink_->OnExit(record->pid);
    if (record->kind == STOKER_RECORD_DEFERRED) return DispatchDeferred(data);
    const auto* sample = static_cast<const stoker_sample*>(data);
    const std::size_t kernel = sample->kernel_frames;
    const std::span<const __u64> frames(sample->frames, kernel + sample->user_frames);
    sink_->OnSample({.pid = record->pid,
                     .start_ticks = ToTicks(record->start_ns),
                     .tid = record->tid,
                     .comm = Comm(*record),
                     .stop = static_cast<stoker_stop>(sample->stop),
                     .kernel = frames.first(kernel),
                     .user = frames.subspan(kernel)});
  }

  void DispatchDeferred(const void* data) {
    const auto* sample = static_cast<const stoker_deferred*>(data);
    const RawStack stack{.registers = sample->registers,
                         .address = sample->stack_address,
                         .bytes = std::span(sample->stack, sample->stack_bytes)};
    sink_->OnSample({.pid = sample->record.pid,
                     .start_ticks = ToTicks(sample->record.start_ns),
                     .tid = sample->record.tid,
                     .comm = Comm(sample->record),
                     .stop = static_cast<stoker_stop>(sample->stop),
                     .kernel = std::span(sample->kernel, sample->kernel_frames),
                     .user = std::span(&sample->registers.ip, 1),
                     .deferred = &stack});
  }

  cpu_sampler_bpf* skeleton_ = nullptr;
  ring_buffer* ring_ = nullptr;
  std::vector<bpf_link*> links_;
  // Owned by their links.
  std::vector<int> events_;
  SampleSink* sink_ = nullptr;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Sampler>> Sampler::Start(int rate, walker::BpfMemory& memory) {
  STOKER_RETURN_IF_ERROR(CheckKernelSupport());
  auto sampler = std::make_unique<BpfSampler>();
  STOKER_RETURN_IF_ERROR(sampler->Load(memory));
  STOKER_RETURN_IF_ERROR(sampler->Attach(rate));
  return sampler;
}

}  // namespace stoker::ebpf
