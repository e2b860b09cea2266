#pragma once

#include <functional>
#include <optional>
#include <string>
#include <thread>

#include <absl/synchronization/notification.h>
#include <absl/time/time.h>

#include "services/cli/doctor/diagnose.h"
#include "services/cli/doctor/host.h"

namespace stoker::cli {

// Keeps the file that tells the store's page how what runs and its host are: checks every 10 s to
// 60 s on a thread of its own, replaces the file when it says something else, and hands the text
// on. Until destroyed.
class DoctorRefresher {
 public:
  struct Parts {
    // What runs, without its metrics_before: those of the last look are put there.
    std::function<InstanceView()> look;
    // The JSON, as written.
    std::function<void(std::string)> tell;
  };

  // Borrows the host.
  DoctorRefresher(const Host& host, DiagnoseOptions options, std::string path, Parts parts);
  ~DoctorRefresher();
  // No look begins any more; does not wait for one that runs.
  void RequestStop();
  DoctorRefresher(const DoctorRefresher&) = delete;
  DoctorRefresher& operator=(const DoctorRefresher&) = delete;

 private:
  void Run();
  // True: there was something new.
  bool Refresh();

  const Host& host_;
  const DiagnoseOptions options_;
  const std::string path_;
  const Parts parts_;
  std::string metrics_before_;
  std::string written_;
  absl::Notification stop_;
  std::thread thread_;
};

}  // namespace stoker::cli
