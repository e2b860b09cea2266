#include "services/cli/metrics_merge.h"

#include <gtest/gtest.h>

namespace stoker::cli {
namespace {

// One family of two processes: comments once, samples together, each with its process.
TEST(MetricsMergeTest, JoinsFamilies) {
  EXPECT_EQ(MergeMetrics({{"a", "# HELP up Is up.\n# TYPE up gauge\nup 1\n"},
                          {"b", "# HELP up Is up.\n# TYPE up gauge\nup{x=\"1\"} 0\n"}}),
            "# HELP up Is up.\n# TYPE up gauge\nup{process=\"a\"} 1\n"
            "up{process=\"b\",x=\"1\"} 0\n");
}

// The samples of a histogram stay with it.
TEST(MetricsMergeTest, Histogram) {
  EXPECT_EQ(MergeMetrics({{"a", "# TYPE t histogram\nt_bucket{le=\"1\"} 2\nt_count 2\n"}}),
            "# TYPE t histogram\nt_bucket{process=\"a\",le=\"1\"} 2\nt_count{process=\"a\"} 2\n");
}

}  // namespace
}  // namespace stoker::cli
