#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "services/common/pprof/profile.h"

namespace stoker::cli {

// The sample label that names the process of a sample.
inline constexpr char kProcessLabel[] = "process";

// A profile as people read it: stacks of names, the root first, equal ones added up.
struct NamedStacks {
  struct Frame {
    std::string name;
    // The source file; "" for unknown.
    std::string file;
    bool operator==(const Frame&) const = default;
  };
  struct Stack {
    // Indices of `frames`. The first frame is the process, where the sample says which: "make
    // (process)", as a function may have a program's name.
    std::vector<std::uint32_t> frames;
    // Of the first sample type.
    std::int64_t value = 0;
  };

  // Distinct.
  std::vector<Frame> frames;
  std::vector<Stack> stacks;
  // What one sample stands for; 0 for unknown.
  std::int64_t period = 0;
  // Sum of all values.
  std::int64_t total = 0;
};

// Inlined functions are frames of their own. A frame without a name is its file and address,
// "libc.so.6 0x2a1f", as the store shows it.
NamedStacks NameStacks(const pprof::Profile& profile);

}  // namespace stoker::cli
