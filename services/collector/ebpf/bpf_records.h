#pragma once

#include <cstddef>
#include <memory>

#include <absl/status/statusor.h>
#include <bpf/libbpf.h>

#include "services/collector/ebpf/sampler.h"
#include "services/collector/ebpf/walker/bpf_memory.h"

namespace stoker::ebpf {

// The ring buffer and the counters that programs of bpf/include/user_sample.h write. Used by one
// thread.
class BpfRecords {
 public:
  // Of the maps `records` and `stats`, which stay for as long.
  static absl::StatusOr<std::unique_ptr<BpfRecords>> Open(int records_fd, int stats_fd);
  ~BpfRecords() { ring_buffer__free(ring_); }
  BpfRecords(const BpfRecords&) = delete;
  BpfRecords& operator=(const BpfRecords&) = delete;

  // As Sampler's.
  [[nodiscard]] int wake_fd() const { return ring_buffer__epoll_fd(ring_); }
  absl::Status Drain(SampleSink& sink);
  [[nodiscard]] SamplerStats ReadStats() const;

 private:
  explicit BpfRecords(int stats_fd) : stats_fd_(stats_fd) {}
  static int OnRecord(void* self, void* data, std::size_t size);
  void Dispatch(const void* data, std::size_t size);
  void DispatchDeferred(const void* data);

  const int stats_fd_;
  ring_buffer* ring_ = nullptr;
  SampleSink* sink_ = nullptr;
};

// Before an object is loaded: its programs are to walk by what is in `memory`.
absl::Status ShareUnwindMap(bpf_map* map, int fd);
template <typename Maps>
absl::Status ShareUnwindMaps(const Maps& maps, const walker::BpfMemory& memory) {
  for (const absl::Status& shared :
       {ShareUnwindMap(maps.unwind_parts, memory.parts_fd()),
        ShareUnwindMap(maps.unwind_rules, memory.rules_fd()),
        ShareUnwindMap(maps.unwind_processes, memory.processes_fd())}) {
    if (!shared.ok()) return shared;
  }
  return absl::OkStatus();
}

// What libbpf has to say goes to the log, at debug.
void LogLibbpf();

}  // namespace stoker::ebpf
