#pragma once

#include <map>
#include <string>

namespace stoker::cli {

// Prometheus texts of several processes as one: every sample gets the label `process`, and samples
// of one metric stand together under one HELP and TYPE, as the format asks.
std::string MergeMetrics(const std::map<std::string, std::string>& text_by_process);

}  // namespace stoker::cli
