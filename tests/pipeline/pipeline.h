#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "services/collector/ebpf/collector.h"
#include "services/collector/ebpf/fake_binary_inspector.h"
#include "services/collector/ebpf/fake_process_source.h"
#include "services/collector/ebpf/walker/fake_table_source.h"
#include "services/collector/ebpf/walker/heap_memory.h"
#include "services/common/testing/fake_clock.h"
#include "services/common/testing/mem_env.h"
#include "services/forwarder/forwarder.h"
#include "services/symbolizer/symbolizer.h"
#include "tests/pipeline/far_end.h"

namespace stoker::pipeline {

// The cores of collector, symbolizer and forwarder in one thread on virtual time, joined as their
// gRPC adapters join them. Processes 1 and 2 are targets, 3 is none.
class Pipeline {
 public:
  static constexpr char kReceiver[] = "pyroscope.write.far";

  // Samples go to `receiver`; the forwarder has kReceiver only.
  explicit Pipeline(const std::string& receiver = kReceiver);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Seconds pass; in each, process 1 is sampled three times, 2 twice and 3 once.
  void RunBusy(int seconds);
  // Seconds pass without samples.
  void RunIdle(int seconds);

  // A power cut: what the forwarder had not made durable may be gone, and answers are lost.
  void CrashForwarder();
  // A symbolizer that knows nothing takes the place of the one there was.
  void ReplaceSymbolizer();

  // Answers of the forwarder do not reach the symbolizer while set.
  bool lose_answers = false;

  FarEnd& far_end() { return far_end_; }
  [[nodiscard]] metrics::Stage::Counts collector() const { return metrics_.stage.Read(); }
  [[nodiscard]] metrics::Stage::Counts symbolizer() const;
  // Of the forwarder since it was opened: stoker_forwarder_`name`.
  [[nodiscard]] std::uint64_t Forwarder(const std::string& name) const;

 private:
  struct SymbolizerProcess;
  class Random64 final : public Random {
   public:
    std::uint64_t Next() override { return engine_(); }

   private:
    std::mt19937_64 engine_{42};
  };

  void AddProcess(std::uint32_t pid, const std::string& service);
  void Sample(std::uint32_t pid, int times);
  void Second();
  void OpenForwarder();
  void SendBatches();
  void SendProfiles();
  void Deliver();
  void ExpectNoError();

  Random64 random_;
  testing::FakeClock clock_;

  metrics::Registry registry_;
  ebpf::Metrics metrics_{registry_};
  ebpf::KernelSymbols kernel_;
  ebpf::FakeProcessSource processes_;
  ebpf::FakeBinaryInspector inspector_;
  model::TargetVector targets_;
  ebpf::walker::HeapMemory memory_;
  ebpf::walker::FakeTableSource tables_;
  ebpf::Collector collector_{processes_, inspector_, memory_, tables_, metrics_, clock_};
  ebpf::Component component_;

  std::unique_ptr<SymbolizerProcess> symbolizer_;

  FarEnd far_end_;
  std::unique_ptr<testing::MemEnv> env_ = std::make_unique<testing::MemEnv>();
  std::unique_ptr<metrics::Registry> forwarder_registry_;
  std::unique_ptr<forwarder::Forwarder> forwarder_;
};

}  // namespace stoker::pipeline
