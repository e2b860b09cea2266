#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "services/collector/ebpf/component.h"
#include "services/collector/ebpf/sample_stream.h"
#include "services/common/base/env.h"
#include "services/common/runtime/service.h"
#include "services/common/targets/target_watcher.h"

namespace stoker::ebpf {

// What all streams of this node have in common.
struct Node {
  std::string name;
  // 16 bytes of /proc/sys/kernel/random/boot_id.
  std::string boot_id;
};

// Reads the boot id.
Node ThisNode(const std::string& name);

// What all components use; borrowed.
struct Surroundings {
  const Node& node;
  // As rpc::Dialer takes it.
  std::string discovery;
  const cluster::Replicas& symbolizers;
  const KernelSymbols& kernel;
  Metrics& metrics;
  runtime::Service& service;
  Env& env;
};

// A component with its target list and its stream: one run, from arguments that a stream begins
// with until others take their place. Takes samples at once; what it counts is sent from Start on.
class RunningComponent {
 public:
  // `before`: the run that ends, whose target list goes on here; it may only End. Or null.
  RunningComponent(const ComponentSettings& settings, const Surroundings& surroundings,
                   RunningComponent* before = nullptr);

  // Opens the spool, which no other run may have open, and the stream. `found` is told how many
  // samples the spool holds from before.
  void Start(const std::function<void(std::uint64_t samples)>& found);
  [[nodiscard]] bool started() const { return stream_.has_value(); }

  // True: the stream can go on with these arguments.
  [[nodiscard]] bool CanUpdate(const ComponentSettings& settings) const;
  // Takes them; the interval has just ended.
  void Update(const ComponentSettings& settings);

  // Nothing more is taken. What the symbolizer has not acknowledged by the deadline stays on disk
  // for the next run, or, without a spool, is dropped for `reason`.
  void End(absl::Time deadline, std::string_view reason);
  [[nodiscard]] bool has_spool() const { return spool_ != nullptr; }
  // Ends the stream, after End. How many samples stay on disk.
  std::uint64_t Leave();

  [[nodiscard]] Component& component() { return component_; }
  [[nodiscard]] bool HasTargets() const;
  // Whether its kernel programs are to be loaded: with lazy_mode, while there are targets.
  [[nodiscard]] bool WantsSamples() const;
  // How it is, for /-/healthy.
  [[nodiscard]] absl::Status Health() const;
  [[nodiscard]] nlohmann::json State() const;

 private:
  const Surroundings surroundings_;
  const sample::v1::Hello hello_;
  // Null once another run has it.
  std::unique_ptr<targets::TargetWatcher> watcher_;
  Component component_;
  // Null where it cannot be opened: then batches wait in memory only.
  std::unique_ptr<BatchSpool> spool_;
  std::optional<SampleStream> stream_;
};

}  // namespace stoker::ebpf
