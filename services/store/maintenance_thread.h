#pragma once

#include <thread>

#include <absl/synchronization/notification.h>
#include <absl/time/time.h>

#include "services/store/metrics.h"
#include "services/store/storage.h"

namespace stoker::store {

// Runs Storage::Sync and Storage::Maintain again and again and exports the storage's sizes; ends
// with the object. An error is logged when it appears and when it is gone.
class MaintenanceThread {
 public:
  // Waits `interval` between two runs. The others are borrowed.
  MaintenanceThread(Storage& storage, Metrics& metrics, absl::Duration interval);
  ~MaintenanceThread();

 private:
  void Run();

  Storage& storage_;
  Metrics& metrics_;
  const absl::Duration interval_;
  absl::Notification stop_;
  std::thread thread_;
};

}  // namespace stoker::store
