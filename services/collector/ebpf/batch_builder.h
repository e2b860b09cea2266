#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "proto/sample/v1/sample.pb.h"
#include "services/collector/ebpf/kernel_symbols.h"
#include "services/collector/ebpf/stack_counter.h"
#include "services/collector/ebpf/target_matcher.h"

namespace stoker::ebpf {

// A batch that needs no other to be understood, and the samples in it.
struct Batch {
  sample::v1::RawStackBatch message;
  std::uint64_t samples = 0;
};

// Turns the stacks of an interval into batches: addresses become places in mappings, kernel
// addresses lose their KASLR. Used once.
class BatchBuilder {
 public:
  // What of a stack is sent.
  struct Options {
    bool kernel_frames = true;
    bool user_frames = true;
    // The thread's name as the sample label `comm`, as the root frame.
    bool comm_label = false;
    bool comm_frame = false;
    // The sample label `pid`.
    bool pid_label = false;
  };

  // Borrows the symbols. `tenant` becomes part of each binary's key.
  BatchBuilder(const KernelSymbols& kernel, std::string tenant, const Options& options)
      : kernel_(kernel), tenant_(std::move(tenant)), options_(options) {}

  // Samples of a process of `target`. False: the options leave nothing of the stack.
  [[nodiscard]] bool Add(const MatchedTarget& target, const StackCounter::Stack& stack);

  // All that was added, in batches of at most about 768 KiB; no numbers and times yet.
  std::vector<Batch> Take();

 private:
  // A batch as it grows, and the numbers of what is in it.
  struct Open {
    Batch batch;
    std::unordered_map<std::string, std::uint32_t> strings;
    // By what tells one mapping from another: a slot, a region, or a path.
    std::map<std::pair<const void*, std::string>, std::uint32_t> mappings;
    std::map<std::tuple<std::uint32_t, std::uint64_t, bool>, std::uint32_t> frames;
    // Named here: by mapping, function, file and line.
    std::map<std::array<std::uint32_t, 4>, std::uint32_t> named_frames;
    std::unordered_map<std::string, std::uint32_t> stacks;
    std::map<const MatchedTarget*, std::uint32_t> series;
    // By name and value, in pairs.
    std::map<std::vector<std::uint32_t>, std::uint32_t> label_sets;
    // By series, stack and labels.
    std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>, int> samples;
    // Whether its samples have values of their own.
    bool values = false;
    std::size_t bytes = 0;
  };

  std::uint32_t String(std::string_view text);
  std::uint32_t Series(const MatchedTarget& target);
  std::uint32_t KernelFrame(std::uint64_t address, bool is_return_address);
  std::uint32_t UserFrame(const StackCounter::Stack& stack, std::uint64_t address,
                          bool is_return_address);
  // A frame with the name that the process gave its own code; 0: there is none.
  std::uint32_t JitFrame(const StackCounter::Stack& stack, std::uint64_t address);
  // One whose name was read from the process' memory, or that says why it was not.
  std::uint32_t InterpretedFrame(const Process& process, const PythonFrame& frame);
  // One that is named here, in a mapping (0: in none).
  std::uint32_t NamedFrame(std::uint32_t mapping, std::string_view function, std::string_view file,
                           std::uint32_t line);
  std::uint32_t MappingOf(const Image::Mapping& mapping);
  // A mapping of nobody's bytes, for a stated reason.
  std::uint32_t Nowhere(std::string_view path, std::string_view reason);
  std::uint32_t Frame(std::uint32_t mapping, std::uint64_t address, bool is_return_address);
  [[nodiscard]] std::uint32_t NextFrame() const;
  std::uint32_t Stack(const StackCounter::Stack& stack);
  // The labels of the sample; 0: it has none.
  std::uint32_t SampleLabels(const StackCounter::Stack& stack);
  void Close();

  const KernelSymbols& kernel_;
  const std::string tenant_;
  const Options options_;
  Open open_;
  std::vector<Batch> done_;
};

}  // namespace stoker::ebpf
