#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/summary.h>

namespace stoker::metrics {

using Labels = std::map<std::string, std::string>;

// The metrics of a process. A service makes all of its own in one struct, in metrics.h, from a
// Registry; nothing else is global. Thread-safe. What it returns lives as long as the registry; the
// same name and labels give the same metric.
class Registry {
 public:
  // Takes its gauge out of the registry at its end.
  using OwnedGauge = std::unique_ptr<prometheus::Gauge, std::function<void(prometheus::Gauge*)>>;

  prometheus::Counter& Counter(const std::string& name, const std::string& help,
                               const Labels& labels = {});
  prometheus::Gauge& Gauge(const std::string& name, const std::string& help,
                           const Labels& labels = {});
  // A gauge of something that goes. Its name and labels are no other's as long as it is there; the
  // registry outlives it.
  OwnedGauge MakeOwnedGauge(const std::string& name, const std::string& help, const Labels& labels);
  prometheus::Histogram& Histogram(const std::string& name, const std::string& help,
                                   const std::vector<double>& bounds, const Labels& labels = {});
  // The quantiles 0.5, 0.9 and 0.99 of the last minutes, as clients of Prometheus have them.
  prometheus::Summary& Summary(const std::string& name, const std::string& help,
                               const Labels& labels = {});

  // Prometheus' text format, version 0.0.4.
  [[nodiscard]] std::string Text() const;

 private:
  prometheus::Registry registry_;
};

// Bounds in seconds that clients of Prometheus use by default: 5 ms to 10 s.
const std::vector<double>& LatencyBounds();

}  // namespace stoker::metrics
