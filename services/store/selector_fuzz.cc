// Whatever text comes: the parser refuses it, or gives a selector that can be asked.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "services/store/selector.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto selector = stoker::store::ParseSelector({reinterpret_cast<const char*>(data), size});
  if (selector.ok()) (void)selector->Matches({{"a", "x"}, {"service_name", "app"}});
  return 0;
}
