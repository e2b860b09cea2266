#pragma once

#include <string>
#include <string_view>

#include "proto/sample/v1/sample.pb.h"

namespace stoker::symbolizer {

// A C++ (Itanium ABI) or Rust (legacy, v0) symbol as people write it; any other, and one too long
// (64 KiB, or 16 KiB when written out), as it is. Modes as pyroscope.ebpf's `demangle`:
//   none        as it is
//   simplified  no parameters, no template arguments
//   templates   no parameters
//   full        all, but for the compiler's clone suffixes
std::string Demangle(std::string_view mangled, sample::v1::Hello::Demangle mode);

}  // namespace stoker::symbolizer
