#include "services/common/runtime/signals.h"

#include <utility>

#include <pthread.h>
#include <signal.h>

namespace stoker::runtime {
namespace {

// Wakes the thread for its end; nobody else sends it.
constexpr int kEnd = SIGUSR2;

sigset_t Taken() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, kEnd}) sigaddset(&set, number);
  return set;
}

}  // namespace

void BlockSignals() {
  const sigset_t set = Taken();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // A peer that closes its end is an error of write(), not the end of the process.
  signal(SIGPIPE, SIG_IGN);
}

SignalThread::SignalThread(std::function<void(int)> handle)
    : thread_([handle = std::move(handle)] {
        const sigset_t set = Taken();
        for (int number = 0; sigwait(&set, &number) == 0 && number != kEnd;) handle(number);
      }) {}

SignalThread::~SignalThread() {
  pthread_kill(thread_.native_handle(), kEnd);
  thread_.join();
}

}  // namespace stoker::runtime
