#pragma once

#include <string>

#include "services/cli/doctor/check.h"
#include "services/cli/doctor/host.h"

namespace stoker::cli {

// What of this host sampling needs. Each function looks at one thing and tells what is so.
Check CheckKernel(const Host& host);
Check CheckBtf(const Host& host);
Check CheckCapabilities(const Host& host);
Check CheckPerfEventParanoid(const Host& host);
Check CheckKptrRestrict(const Host& host);
Check CheckMemlock(const Host& host);
Check CheckLockdown(const Host& host);
Check CheckRingBuffer(const Host& host);
Check CheckCgroup(const Host& host);
Check CheckClock(const Host& host);
Check CheckDataDir(const Host& host, const std::string& data_dir);
Check CheckDisk(const Host& host, const std::string& data_dir);
Check CheckConfigurationFile(const Host& host, const std::string& path);

// A port that `stoker run` wants, and what for. A process of ours may hold it.
struct WantedPort {
  int port = 0;
  std::string use;
  std::string flag;
  // Whether every run needs it.
  bool always = false;
};
// `running`: a `stoker run` answers, so that a holder whom we may not see is its.
Check CheckPort(const Host& host, const WantedPort& wanted, bool running);

}  // namespace stoker::cli
