#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

#include "services/common/config/components/pyroscope_write.h"

namespace stoker::forwarder {

// What the configuration says, as far as it concerns the forwarder.
struct Settings {
  // By component id: `pyroscope.write.backend`.
  std::map<std::string, config::PyroscopeWrite> writers;
  // Component ids for profiles that name none.
  std::vector<std::string> default_receivers;
  // For profiles that name none; "" for none.
  std::string tenant;
  // Of the spool, when the process starts; a reload leaves them.
  std::uint64_t spool_max_bytes = std::uint64_t{10} << 30;
  absl::Duration spool_max_age = absl::Hours(24);
  // Writers that are not as the configuration says, and why: they have their last good arguments
  // or, without such, take nothing. By id.
  std::map<std::string, absl::Status> failed;
};

}  // namespace stoker::forwarder
