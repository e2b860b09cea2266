#include "services/collector/ebpf/bpf_records.h"

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <vector>

#include <bpf/bpf.h>

#include "services/common/base/status.h"
#include "services/common/log/log.h"

namespace stoker::ebpf {
namespace {

int OnLibbpfText(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  std::array<char, 1024> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  text[std::strcspn(text.data(), "\n")] = '\0';
  log::Debug("libbpf", {{"text", text.data()}});
  return 0;
}

// Field 22 of /proc/PID/stat counts in units of 1/100 s (USER_HZ), rounded down.
std::uint64_t ToTicks(std::uint64_t ns) { return ns / 10'000'000; }

std::string_view Comm(const stoker_record& record) {
  return {record.comm, strnlen(record.comm, sizeof(record.comm))};
}

}  // namespace

absl::StatusOr<std::unique_ptr<BpfRecords>> BpfRecords::Open(int records_fd, int stats_fd) {
  std::unique_ptr<BpfRecords> self(new BpfRecords(stats_fd));
  self->ring_ = ring_buffer__new(records_fd, &BpfRecords::OnRecord, self.get(), nullptr);
  if (self->ring_ == nullptr) return ErrnoError(errno, "map the ring buffer");
  return self;
}

absl::Status BpfRecords::Drain(SampleSink& sink) {
  sink_ = &sink;
  const int consumed = ring_buffer__consume(ring_);
  sink_ = nullptr;
  if (consumed < 0) return ErrnoError(-consumed, "read the ring buffer");
  return absl::OkStatus();
}

SamplerStats BpfRecords::ReadStats() const {
  SamplerStats stats{};
  std::vector<std::uint64_t> values(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  for (std::uint32_t key = 0; key < stats.size(); ++key) {
    if (bpf_map_lookup_elem(stats_fd_, &key, values.data()) != 0) continue;
    for (const std::uint64_t value : values) stats[key] += value;
  }
  return stats;
}

int BpfRecords::OnRecord(void* self, void* data, std::size_t size) {
  static_cast<BpfRecords*>(self)->Dispatch(data, size);
  return 0;
}

void BpfRecords::Dispatch(const void* data, std::size_t size) {
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
                   .wait = static_cast<stoker_wait>(record->wait),
                   .value = record->value,
                   .kernel = frames.first(kernel),
                   .user = frames.subspan(kernel)});
}

void BpfRecords::DispatchDeferred(const void* data) {
  const auto* sample = static_cast<const stoker_deferred*>(data);
  const RawStack stack{.registers = sample->registers,
                       .address = sample->stack_address,
                       .bytes = std::span(sample->stack, sample->stack_bytes)};
  sink_->OnSample({.pid = sample->record.pid,
                   .start_ticks = ToTicks(sample->record.start_ns),
                   .tid = sample->record.tid,
                   .comm = Comm(sample->record),
                   .stop = static_cast<stoker_stop>(sample->stop),
                   .wait = static_cast<stoker_wait>(sample->record.wait),
                   .value = sample->record.value,
                   .kernel = std::span(sample->kernel, sample->kernel_frames),
                   .user = std::span(&sample->registers.ip, 1),
                   .deferred = &stack});
}

absl::Status ShareUnwindMap(bpf_map* map, int fd) {
  if (bpf_map__reuse_fd(map, fd) != 0) return ErrnoError(errno, "share the unwind tables");
  return absl::OkStatus();
}

void LogLibbpf() { libbpf_set_print(OnLibbpfText); }

}  // namespace stoker::ebpf
