#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "services/store/symbols.h"

namespace stoker::store {

// The tables of a block's symbols in columns of varints, made to be compressed.
std::string EncodeSymbols(const Symbols& symbols);

// For reading only. DATA_LOSS where a number points nowhere.
absl::StatusOr<Symbols> DecodeSymbols(std::string_view bytes);

}  // namespace stoker::store
