#pragma once

#include <map>
#include <optional>

#include "services/collector/ebpf/process_source.h"

namespace stoker::ebpf {

// Processes of a test.
class FakeProcessSource final : public ProcessSource {
 public:
  std::optional<Snapshot> Read(std::uint32_t pid) override {
    ++reads;
    const auto found = processes.find(pid);
    if (found == processes.end()) return std::nullopt;
    return found->second;
  }

  std::map<std::uint32_t, Snapshot> processes;
  int reads = 0;
};

}  // namespace stoker::ebpf
