#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <absl/time/time.h>

#include "services/collector/ebpf/binary.h"
#include "services/collector/ebpf/jit/jit_names.h"
#include "services/collector/ebpf/process_source.h"
#include "services/collector/ebpf/python/code_names.h"
#include "services/collector/ebpf/python/layout.h"
#include "services/collector/ebpf/sampler.h"
#include "services/common/procfs/maps.h"
#include "services/common/procfs/process.h"

namespace stoker::ebpf {

// The executable mappings of a process for as long as they did not change.
class Image {
 public:
  // Who is behind a mapping; filled in when the inspector has answered.
  struct Slot {
    bool requested = false;
    BinaryPtr binary;
  };
  struct Mapping {
    procfs::ExecutableMapping place;
    std::shared_ptr<Slot> slot;
  };

  Image() = default;
  // Mappings in ascending order. Those that `before` has too keep their slots.
  Image(std::vector<procfs::ExecutableMapping> mappings, const Image& before);

  [[nodiscard]] const Mapping* Find(std::uint64_t address) const;
  [[nodiscard]] const std::vector<Mapping>& mappings() const { return mappings_; }

 private:
  std::vector<Mapping> mappings_;
};
using ImagePtr = std::shared_ptr<const Image>;

namespace walker {
class PublishedImage;
}

// A process that was sampled.
struct Process {
  procfs::ProcessKey key;
  std::string container_id;
  // Null until its mappings were read.
  ImagePtr image;
  // The image as the stack walker knows it; null until it is told.
  std::shared_ptr<walker::PublishedImage> published;
  // Names of code that it made as it ran; null: there are none.
  std::shared_ptr<JitNames> jit;
  // Where its Python keeps what names code objects; null: it has no Python that is known.
  std::shared_ptr<const PythonCodeLayout> python;
  // The names of those that were sampled; null: none was.
  std::shared_ptr<PythonNames> python_names;
  // When they may be read again, and how often that found nothing new.
  absl::Duration next_read;
  int fruitless_reads = 0;
  absl::Duration last_sample;
  bool exited = false;
  // True: it had ended before it could be read.
  bool missed = false;
};
using ProcessPtr = std::shared_ptr<Process>;

// What is known of sampled processes, by (pid, start time). Their mappings are read when a sample
// first needs them, and again, at growing distances, when an address is in none of them. Processes
// that have ended or were not sampled for long are forgotten. Used by one thread.
class ProcessTable {
 public:
  struct Counts {
    std::uint64_t reads = 0;
    // Processes that ended before their mappings could be read.
    std::uint64_t missed = 0;
    // Binaries that could not be read.
    std::uint64_t unreadable = 0;
  };

  // Borrows both.
  ProcessTable(ProcessSource& source, BinaryInspector& inspector)
      : source_(source), inspector_(inspector) {}

  // The sample's process, with an image that is as fresh as needed.
  ProcessPtr Find(const RawSample& sample, absl::Duration now);
  void OnExec(std::uint32_t pid);
  void OnExit(std::uint32_t pid);

  // Sees to it that `address`, which the process executes, will be known: asks for the binary that
  // lies there; reads the mappings again where none does. False when there is nothing to wait for.
  bool Need(const ProcessPtr& process, std::uint64_t address, absl::Duration now);

  // Takes the inspector's answers. The processes that have the binaries.
  std::vector<ProcessPtr> Update();
  // Whether the image's binaries, as far as they were asked for, are known.
  [[nodiscard]] bool Waiting() const { return !open_.empty(); }

  // Forgets processes that ended, and those beyond the bound that were not sampled for longest.
  void Sweep(absl::Duration now);

  [[nodiscard]] std::size_t size() const { return processes_.size(); }
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    for (const auto& [pid, process] : processes_) visit(*process);
  }
  [[nodiscard]] const Counts& counts() const { return counts_; }

  static constexpr std::size_t kMaxProcesses = 32'768;

 private:
  void Read(Process& process, absl::Duration now);
  // True when some address of the stack lies in no mapping.
  static bool HasUnknown(const Image& image, std::span<const __u64> stack);
  void RequestBinary(const ProcessPtr& process, const Image::Mapping& mapping);

  ProcessSource& source_;
  BinaryInspector& inspector_;
  std::unordered_map<std::uint32_t, ProcessPtr> processes_;
  // What was asked of the inspector.
  struct Question {
    std::shared_ptr<Image::Slot> slot;
    std::weak_ptr<Process> process;
  };
  std::unordered_map<std::uint64_t, Question> open_;
  std::uint64_t next_ticket_ = 1;
  Counts counts_;
};

}  // namespace stoker::ebpf
