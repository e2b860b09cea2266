#pragma once

#include <map>
#include <string>
#include <vector>

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
};

}  // namespace stoker::forwarder
