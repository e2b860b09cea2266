#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "services/scraper/sample_table.h"

namespace stoker::scraper {

// Turns profiles whose values count from the start of a program (allocations, contention) into what
// came between each and the one before. Values that do not count up, such as what is in use, stay
// as they are. Samples are the same if the addresses of their stacks and their labels are; between
// profiles only their sums are kept. The message is walked, never built up in memory.
//
// A value that became less says that the program began anew: all of that profile is the
// difference. A profile that cannot be read changes nothing. Not thread-safe.
class ProfileDifference {
 public:
  // Whether values of this sample type count from the program's start.
  static bool CountsFromStart(std::string_view sample_type);

  struct Result {
    // Nothing for the first profile, which is only remembered. Gzip.
    std::optional<std::string> pprof;
    std::size_t samples = 0;
    // Since the profile before, in nanoseconds, as both say the time.
    std::int64_t duration_nanos = 0;
    // The program began anew.
    bool reset = false;
  };
  // `message`: inflated. INVALID_ARGUMENT for a damaged one; FAILED_PRECONDITION for one without
  // any sample type that counts from the start: it says all by itself.
  absl::StatusOr<Result> Next(std::string_view message);

  // Samples that are remembered, and bytes held for them.
  [[nodiscard]] std::size_t samples() const { return table_.size(); }
  [[nodiscard]] std::size_t bytes() const { return table_.bytes(); }

 private:
  SampleTable table_;
  // The names of the sample types of the last profile.
  std::vector<std::string> types_;
  std::int64_t time_nanos_ = 0;
  // Profiles taken in.
  std::uint32_t profiles_ = 0;
};

}  // namespace stoker::scraper
