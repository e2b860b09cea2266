// Whatever is in a block's file: opening and reading it fails or answers, and stays in its arrays.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "services/store/sample_codec.h"
#include "services/store/symbol_codec.h"
#include "services/store/tree.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace stoker::store;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::vector<std::int64_t> sums(1'000);
  (void)AddSamples(bytes, sums);
  const auto symbols = DecodeSymbols(bytes);
  if (!symbols.ok()) return 0;
  Tree tree;
  tree.Add(*symbols, std::vector<std::int64_t>(symbols->stacks().size(), 1));
  tree.Finish();
  if (EncodeSymbols(*symbols).empty()) __builtin_trap();
  return 0;
}
