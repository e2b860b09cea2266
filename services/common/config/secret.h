#pragma once

#include <string>

namespace stoker::config {

// Text that is never printed: not by logs, not by /debug/state, not by diagnostics.
struct Secret {
  std::string value;

  [[nodiscard]] bool empty() const { return value.empty(); }
  bool operator==(const Secret&) const = default;
};

inline const char kHiddenSecret[] = "(secret)";

}  // namespace stoker::config
