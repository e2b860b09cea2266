#pragma once

#include <string>

#include "services/common/forwarding/fanout_metrics.h"
#include "services/common/metrics/registry.h"
#include "services/common/metrics/stage.h"

namespace stoker::scraper {

// The metrics of the process.
struct Metrics {
  explicit Metrics(metrics::Registry& metrics_registry)
      : registry(metrics_registry), stage(metrics_registry, "scraper") {}

  metrics::Registry& registry;
  // In samples of pprof messages, once they are scraped.
  metrics::Stage stage;
};

// The metrics of one pyroscope.scrape.
struct ComponentMetrics {
  ComponentMetrics(metrics::Registry& metrics_registry, const std::string& component)
      : registry(metrics_registry),
        labels{{"component_id", component}},
        fanout(registry, labels),
        targets(registry.Gauge("stoker_scraper_targets", "Targets of the component.", labels)),
        refused_targets(registry.Gauge("stoker_scraper_refused_targets",
                                       "Targets that cannot be scraped.", labels)),
        jobs(registry.Gauge("stoker_scraper_jobs", "Profile types of all targets.", labels)),
        running(registry.Gauge("stoker_scraper_running_scrapes", "Requests that run.", labels)),
        skipped(registry.Counter("stoker_scraper_skipped_scrapes_total",
                                 "Scrapes left out as the one before still ran.", labels)),
        moved_in(Moved("in")),
        moved_out(Moved("out")),
        double_scrapes(registry.Counter(
            "stoker_scraper_double_scrapes_total",
            "Scrapes that another replica, which had the target until now, may make too.", labels)),
        resets(registry.Counter("stoker_scraper_difference_resets_total",
                                "Profiles whose values count from a new start.", labels)),
        difference_samples(registry.Gauge("stoker_scraper_difference_samples",
                                          "Samples remembered to take differences.", labels)),
        difference_bytes(registry.Gauge("stoker_scraper_difference_bytes",
                                        "Memory of what is remembered.", labels)),
        lateness(registry.Histogram("stoker_scraper_lateness_seconds",
                                    "Time from when a scrape was due to its request.",
                                    metrics::LatencyBounds(), labels)),
        duration(registry.Histogram("stoker_scraper_scrape_duration_seconds",
                                    "Time from a request to the end of its check.",
                                    {0.01, 0.05, 0.25, 1, 5, 10, 15, 20, 30, 60}, labels)) {}

  // `result`: "success" or why not, see ReasonOf.
  prometheus::Counter& Scrapes(const std::string& result) const {
    metrics::Labels with = labels;
    with["result"] = result;
    return registry.Counter("stoker_scraper_scrapes_total", "Scrapes that ended.", with);
  }

  // Jobs that came from another replica, or went to one.
  prometheus::Counter& Moved(const std::string& direction) const {
    metrics::Labels with = labels;
    with["direction"] = direction;
    return registry.Counter("stoker_scraper_moved_jobs_total",
                            "Jobs that other replicas took over, or that were theirs.", with);
  }

  metrics::Registry& registry;
  const metrics::Labels labels;
  forwarding::FanoutMetrics fanout;
  prometheus::Gauge& targets;
  prometheus::Gauge& refused_targets;
  prometheus::Gauge& jobs;
  prometheus::Gauge& running;
  prometheus::Counter& skipped;
  prometheus::Counter& moved_in;
  prometheus::Counter& moved_out;
  prometheus::Counter& double_scrapes;
  prometheus::Counter& resets;
  prometheus::Gauge& difference_samples;
  prometheus::Gauge& difference_bytes;
  prometheus::Histogram& lateness;
  prometheus::Histogram& duration;
};

}  // namespace stoker::scraper
