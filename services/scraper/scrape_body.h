#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "proto/profile/v1/profile.pb.h"
#include "services/common/http/message.h"
#include "services/scraper/profile_difference.h"
#include "services/scraper/scrape_job.h"

namespace stoker::scraper {

// What a scrape made. `profile` is empty where there is nothing to send: the first of those that
// are subtracted, and one without samples.
struct ScrapeResult {
  std::shared_ptr<profile::v1::Profile> profile;
  bool reset = false;
};

// What an answer is read with.
struct BodyContext {
  std::string node;
  std::string component_id;
  std::string tenant;
  std::vector<std::string> receivers;
  std::size_t max_profile_bytes = 0;
  // When the request was sent, by the wall clock.
  absl::Time start;
};

// FAILED_PRECONDITION for any HTTP status but 200, with Alloy's phrase.
absl::Status CheckStatus(const http::Response& response);

// Checks the body of an answer and makes the profile to send of it: the body byte for byte, or
// where the job asks for it the difference to the one before, for which `difference` is used.
absl::StatusOr<ScrapeResult> ReadBody(const ScrapeJob& job, const BodyContext& context,
                                      std::string body, ProfileDifference& difference);

// A word for counters: "http_status", "timeout", "unreachable", "too_large", "invalid_profile",
// "cancelled", "other"; "success" for OK.
std::string ReasonOf(const absl::Status& status);

}  // namespace stoker::scraper
