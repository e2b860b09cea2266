#include "services/forwarder/delivery_thread.h"

#include <utility>

namespace stoker::forwarder {

DeliveryThread::DeliveryThread(Forwarder& forwarder, std::function<void()> after)
    : forwarder_(forwarder), after_(std::move(after)), thread_([this] { Run(); }) {}

DeliveryThread::~DeliveryThread() {
  stopping_ = true;
  forwarder_.wakeup().Wake();
  thread_.join();
}

void DeliveryThread::Run() {
  while (!stopping_) {
    const absl::Duration idle = forwarder_.Poll();
    after_();
    if (!stopping_) forwarder_.wakeup().Await(idle);
  }
}

}  // namespace stoker::forwarder
