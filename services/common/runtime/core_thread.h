#pragma once

#include <functional>
#include <thread>

#include <absl/time/time.h>

#include "services/common/runtime/bounded_queue.h"

namespace stoker::runtime {

// The thread that owns a core: it runs what the adapters post, in order, and `tick` between.
class CoreThread {
 public:
  // Every adapter has a bounded number of events under way (one message for each stream, one end
  // for each call), so that this many never wait.
  static constexpr std::size_t kCapacity = 65'536;

  CoreThread(absl::Duration tick_interval, std::function<void()> tick);
  // Runs what was posted, then ends the thread.
  ~CoreThread();

  // False: the thread is ending, and the event will not be run.
  bool Post(std::function<void()> event);
  // Runs `event` on the thread and waits for it. Not for the thread itself.
  void Call(const std::function<void()>& event);
  // Looks for `holds` on the thread, once an interval, until it is true or `timeout` has passed;
  // says which. Not for the thread itself.
  bool Await(absl::Duration timeout, const std::function<bool()>& holds);
  // No event runs after it returns.
  void Stop();

 private:
  void Run();

  const absl::Duration tick_interval_;
  const std::function<void()> tick_;
  BoundedQueue<std::function<void()>> events_;
  std::thread thread_;
};

}  // namespace stoker::runtime
