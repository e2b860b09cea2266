// Demangles any bytes in every mode: no name is longer than its limit.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "services/symbolizer/demangle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using stoker::sample::v1::Hello;
  const std::string name(reinterpret_cast<const char*>(data), size);
  for (const auto mode : {Hello::DEMANGLE_NONE, Hello::DEMANGLE_SIMPLIFIED,
                          Hello::DEMANGLE_TEMPLATES, Hello::DEMANGLE_FULL}) {
    const std::string shown = stoker::symbolizer::Demangle(name, mode);
    if (shown.size() > std::max<std::size_t>(size, 16'384)) std::abort();
  }
  return 0;
}
