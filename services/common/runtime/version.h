#pragma once

namespace stoker::runtime {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace stoker::runtime
