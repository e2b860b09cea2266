#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "services/collector/ebpf/binary.h"
#include "services/collector/ebpf/unwind/table.h"

namespace stoker::ebpf::walker {

using TablePtr = std::shared_ptr<const unwind::Table>;

// Makes the tables of binaries, elsewhere: it takes time.
class TableSource {
 public:
  virtual ~TableSource() = default;

  virtual void Request(const BinaryPtr& binary) = 0;

  struct Ready {
    BinaryPtr binary;
    // Null: there is none.
    TablePtr table;
  };
  // Tables that were asked for and are there since the last call.
  virtual std::vector<Ready> TakeReady() = 0;
};

}  // namespace stoker::ebpf::walker
