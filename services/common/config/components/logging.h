#pragma once

#include "services/common/log/log.h"

namespace stoker::config {

// The `logging` block.
struct Logging {
  log::Level level = log::Level::kInfo;
  log::Format format = log::Format::kLogfmt;
  bool operator==(const Logging&) const = default;
};

}  // namespace stoker::config
