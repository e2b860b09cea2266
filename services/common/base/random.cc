#include "services/common/base/random.h"

#include <cstdlib>

#include <sys/random.h>

namespace stoker {

std::uint64_t SystemRandom::Next() {
  std::uint64_t value = 0;
  // Up to 256 bytes are never interrupted nor short once the kernel's pool is ready.
  if (getrandom(&value, sizeof value, 0) != sizeof value) std::abort();
  return value;
}

}  // namespace stoker
