#include "services/store/maintenance_thread.h"

#include "services/common/base/status.h"
#include "services/common/log/log.h"

namespace stoker::store {

MaintenanceThread::MaintenanceThread(Storage& storage, Metrics& metrics, absl::Duration interval)
    : storage_(storage), metrics_(metrics), interval_(interval), thread_([this] { Run(); }) {}

MaintenanceThread::~MaintenanceThread() {
  stop_.Notify();
  thread_.join();
}

void MaintenanceThread::Run() {
  bool failing = false;
  while (!stop_.WaitForNotificationWithTimeout(interval_)) {
    absl::Status status = storage_.Sync();
    status.Update(storage_.Maintain());
    if (!status.ok() && !failing) {
      log::Error("maintenance of the storage fails", {{"error", Message(status)}});
    } else if (status.ok() && failing) {
      log::Info("maintenance of the storage works again");
    }
    failing = !status.ok();
    const Storage::Sizes sizes = storage_.sizes();
    metrics_.head_bytes.Set(static_cast<double>(sizes.head_bytes));
    metrics_.blocks.Set(static_cast<double>(sizes.blocks));
    metrics_.block_bytes.Set(static_cast<double>(sizes.block_bytes));
    metrics_.damaged_blocks.Set(static_cast<double>(sizes.damaged_blocks));
    metrics_.series.Set(static_cast<double>(sizes.series));
  }
}

}  // namespace stoker::store
