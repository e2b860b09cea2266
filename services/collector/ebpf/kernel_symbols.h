#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "proto/sample/v1/sample.pb.h"
#include "proto/symbol/v1/symbol.pb.h"

namespace stoker::ebpf {

// Kernel text that one table names: the image or a module.
struct KernelRegion {
  sample::v1::Mapping::Kind kind = sample::v1::Mapping::KIND_KERNEL;
  // "[kernel]", or the module's name in brackets.
  std::string path;
  symbol::v1::BinaryKey key;
  // Where frames' offsets count from; as the kernel runs, so never sent.
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  // A serialized symbol.v1.KernelTable.
  std::string table;
};

// The kernel's text as it is laid out since boot, ascending. Immutable once loaded.
class KernelSymbols {
 public:
  // Without regions: kernel frames have no place.
  KernelSymbols() = default;

  // Reads /proc/kallsyms, /proc/modules and the notes below `root` ("" for the machine). Needs
  // CAP_SYSLOG. FAILED_PRECONDITION when the kernel hides its addresses.
  static absl::StatusOr<KernelSymbols> Load(const std::string& root);

  // The region of an address, or nullptr.
  [[nodiscard]] const KernelRegion* Find(std::uint64_t address) const;
  [[nodiscard]] const std::vector<KernelRegion>& regions() const { return regions_; }

 private:
  std::vector<KernelRegion> regions_;
};

}  // namespace stoker::ebpf
