#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace stoker::metrics {

using Labels = std::map<std::string, std::string>;

// The metrics of a process. A service makes all of its own in one struct, in metrics.h, from a
// Registry; nothing else is global. Thread-safe. What it returns lives as long as the registry; the
// same name and labels give the same metric.
class Registry {
 public:
  prometheus::Counter& Counter(const std::string& name, const std::string& help,
                               const Labels& labels = {});
  prometheus::Gauge& Gauge(const std::string& name, const std::string& help,
                           const Labels& labels = {});
  prometheus::Histogram& Histogram(const std::string& name, const std::string& help,
                                   const std::vector<double>& bounds, const Labels& labels = {});

  // Prometheus' text format, version 0.0.4.
  [[nodiscard]] std::string Text() const;

 private:
  prometheus::Registry registry_;
};

// Bounds in seconds that clients of Prometheus use by default: 5 ms to 10 s.
const std::vector<double>& LatencyBounds();

}  // namespace stoker::metrics
