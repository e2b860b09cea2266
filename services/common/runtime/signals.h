#pragma once

#include <functional>
#include <thread>

namespace stoker::runtime {

// Blocks SIGINT, SIGTERM, SIGHUP and SIGPIPE in the calling thread and those it starts later: call
// it before the first thread.
void BlockSignals();

// Takes the blocked signals on a thread of its own, until destroyed.
class SignalThread {
 public:
  // `handle` gets SIGINT, SIGTERM or SIGHUP; it may take its time, further signals wait.
  explicit SignalThread(std::function<void(int)> handle);
  ~SignalThread();
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;

 private:
  std::thread thread_;
};

}  // namespace stoker::runtime
