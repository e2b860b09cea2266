#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "services/forwarder/forwarder.h"

namespace stoker::forwarder {

// The thread that delivers.
class DeliveryThread {
 public:
  // Borrows the forwarder. `after` is called on the thread after each turn.
  DeliveryThread(Forwarder& forwarder, std::function<void()> after);
  // What is in flight stays in the spool.
  ~DeliveryThread();
  DeliveryThread(const DeliveryThread&) = delete;
  DeliveryThread& operator=(const DeliveryThread&) = delete;

 private:
  void Run();

  Forwarder& forwarder_;
  const std::function<void()> after_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace stoker::forwarder
