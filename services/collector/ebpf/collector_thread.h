#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "services/collector/ebpf/collector.h"
#include "services/collector/ebpf/sampler.h"
#include "services/common/base/unique_fd.h"

namespace stoker::ebpf {

// The thread that owns the core and the samplers: hands over records every 100 ms, and at once for
// a process that nobody knows yet.
class CollectorThread {
 public:
  // Borrows both. `each_second` is called on the thread.
  CollectorThread(Collector& core, walker::BpfMemory& memory, std::function<void()> each_second);
  // Ends the thread; samplers stop.
  ~CollectorThread();

  // Runs `work` on the thread and waits for it.
  void Run(const std::function<void()>& work);

  // Within Run or each_second: exactly these samplers run afterwards. All that was taken until then
  // is handed over. An error leaves them as they were.
  absl::Status SetSamplers(const std::vector<SamplerKind>& kinds);
  // Within Run: stops all samplers and hands over what they still have.
  void StopSamplers();

 private:
  void Loop();
  void Wait();
  void DrainAll();
  void ReadStats();

  Collector& core_;
  walker::BpfMemory& memory_;
  const std::function<void()> each_second_;
  const UniqueFd wake_;
  const UniqueFd epoll_;
  // Of the thread.
  std::map<SamplerKind, std::unique_ptr<Sampler>> samplers_;
  absl::Time next_second_;

  absl::Mutex mutex_;
  const std::function<void()>* work_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // One Run at a time.
  absl::Mutex run_mutex_;
  std::thread thread_;
};

}  // namespace stoker::ebpf
