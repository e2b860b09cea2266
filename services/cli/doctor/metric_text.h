#pragma once

#include <string_view>

namespace stoker::cli {

// The sum of all values of a metric in Prometheus' text format whose labels hold `label`, such as
// `reason="too_old"`; "" for any.
double SumMetric(std::string_view text, std::string_view name, std::string_view label = "");

}  // namespace stoker::cli
