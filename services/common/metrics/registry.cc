#include "services/common/metrics/registry.h"

#include <prometheus/text_serializer.h>

namespace stoker::metrics {

prometheus::Counter& Registry::Counter(const std::string& name, const std::string& help,
                                       const Labels& labels) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry_).Add(labels);
}

prometheus::Gauge& Registry::Gauge(const std::string& name, const std::string& help,
                                   const Labels& labels) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry_).Add(labels);
}

Registry::OwnedGauge Registry::MakeOwnedGauge(const std::string& name, const std::string& help,
                                              const Labels& labels) {
  auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
  return {&family.Add(labels), [&family](prometheus::Gauge* gauge) { family.Remove(gauge); }};
}

prometheus::Histogram& Registry::Histogram(const std::string& name, const std::string& help,
                                           const std::vector<double>& bounds,
                                           const Labels& labels) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry_).Add(labels, bounds);
}

prometheus::Summary& Registry::Summary(const std::string& name, const std::string& help,
                                       const Labels& labels) {
  // With the errors that they are allowed.
  static const prometheus::Summary::Quantiles quantiles{{0.5, 0.05}, {0.9, 0.01}, {0.99, 0.001}};
  return prometheus::BuildSummary().Name(name).Help(help).Register(registry_).Add(labels,
                                                                                  quantiles);
}

std::string Registry::Text() const {
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

const std::vector<double>& LatencyBounds() {
  static const std::vector<double> bounds = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};
  return bounds;
}

}  // namespace stoker::metrics
