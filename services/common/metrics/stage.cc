#include "services/common/metrics/stage.h"

namespace stoker::metrics {

Stage::Stage(Registry& registry, const std::string& process)
    : registry_(registry),
      prefix_("stoker_" + process),
      in_(registry.Counter(prefix_ + "_in", "Samples that entered the process.")),
      out_(registry.Counter(prefix_ + "_out", "Samples handed on and acknowledged.")),
      in_flight_(registry.Gauge(prefix_ + "_in_flight", "Samples the process holds.")),
      error_(registry.Gauge(prefix_ + "_conservation_error",
                            "in - out - dropped - what the process holds; anything but 0 is a "
                            "defect.")) {}

void Stage::In(std::uint64_t samples) {
  absl::MutexLock lock(&mutex_);
  counts_.in += samples;
  in_.Increment(static_cast<double>(samples));
  ExportInFlight();
}

void Stage::Out(std::uint64_t samples) {
  absl::MutexLock lock(&mutex_);
  counts_.out += samples;
  out_.Increment(static_cast<double>(samples));
  ExportInFlight();
}

void Stage::Drop(std::string_view reason, std::uint64_t samples) {
  absl::MutexLock lock(&mutex_);
  counts_.dropped[std::string(reason)] += samples;
  registry_
      .Counter(prefix_ + "_dropped", "Samples lost, by reason.", {{"reason", std::string(reason)}})
      .Increment(static_cast<double>(samples));
  ExportInFlight();
}

void Stage::Audit(std::uint64_t held) {
  absl::MutexLock lock(&mutex_);
  error_.Set(static_cast<double>(static_cast<std::int64_t>(counts_.InFlight() - held)));
}

Stage::Counts Stage::Read() const {
  absl::MutexLock lock(&mutex_);
  return counts_;
}

void Stage::ExportInFlight() { in_flight_.Set(static_cast<double>(counts_.InFlight())); }

std::uint64_t Stage::Counts::TotalDropped() const {
  std::uint64_t total = 0;
  for (const auto& [reason, samples] : dropped) total += samples;
  return total;
}

}  // namespace stoker::metrics
