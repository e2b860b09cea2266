#pragma once

#include <thread>

#include <absl/synchronization/notification.h>

#include "services/store/metrics.h"
#include "services/store/storage.h"

namespace stoker::store {

// Runs Storage::Sync and Storage::Maintain once a second and exports the storage's sizes; ends with
// the object. An error is logged when it appears and when it is gone.
class MaintenanceThread {
 public:
  // Both are borrowed.
  MaintenanceThread(Storage& storage, Metrics& metrics);
  ~MaintenanceThread();

 private:
  void Run();

  Storage& storage_;
  Metrics& metrics_;
  absl::Notification stop_;
  std::thread thread_;
};

}  // namespace stoker::store
