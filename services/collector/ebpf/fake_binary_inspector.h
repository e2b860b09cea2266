#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/collector/ebpf/binary.h"

namespace stoker::ebpf {

// Gives each path a binary whose build id is the path, loaded where its file offset says; or, when
// `silent`, no answer.
class FakeBinaryInspector final : public BinaryInspector {
 public:
  void Request(std::uint64_t ticket, std::uint32_t,
               const procfs::ExecutableMapping& mapping) override {
    ++requests;
    if (silent) return;
    auto binary = std::make_shared<Binary>();
    if (unreadable.contains(mapping.path)) {
      binary->unreadable_reason = "not an ELF file";
    } else {
      binary->inspection.mutable_key()->set_build_id(mapping.path);
      elf::LoadSegment& segment = *binary->inspection.add_load_segments();
      segment.set_file_size(1 << 20);
      segment.set_memory_size(1 << 20);
      segment.set_flags(5);
    }
    answers_.push_back({ticket, std::move(binary)});
  }
  std::vector<Answer> TakeAnswers() override { return std::exchange(answers_, {}); }

  bool silent = false;
  std::set<std::string> unreadable;
  int requests = 0;

 private:
  std::vector<Answer> answers_;
};

}  // namespace stoker::ebpf
