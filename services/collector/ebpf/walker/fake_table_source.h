#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "services/collector/ebpf/walker/table_builder.h"
#include "services/collector/ebpf/walker/table_source.h"

namespace stoker::ebpf::walker {

// Gives each binary the table that a test has for its build id, and others none; or, when `silent`,
// no answer until Answer.
class FakeTableSource final : public TableSource {
 public:
  void Request(const BinaryPtr& binary) override {
    ++requests;
    asked_.push_back(binary);
    if (!silent) Answer();
  }
  std::vector<Ready> TakeReady() override { return std::exchange(ready_, {}); }

  void Answer() {
    for (BinaryPtr& binary : std::exchange(asked_, {})) {
      const auto found = tables.find(binary->inspection.key().build_id());
      ready_.push_back({binary, found == tables.end() ? nullptr : found->second.Build()});
    }
  }

  std::map<std::string, TableBuilder> tables;
  bool silent = false;
  int requests = 0;

 private:
  std::vector<BinaryPtr> asked_;
  std::vector<Ready> ready_;
};

}  // namespace stoker::ebpf::walker
