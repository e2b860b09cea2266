#pragma once

#include <map>
#include <string>

#include "proto/profile/v1/profile.pb.h"
#include "services/common/config/components/pyroscope_write.h"
#include "services/forwarder/push_client.h"

namespace stoker::forwarder {

// What turns a profile into a request to one endpoint.
struct PushTarget {
  config::PyroscopeWrite::Endpoint endpoint;
  std::map<std::string, std::string> external_labels;
  // For profiles that name none.
  std::string tenant;
};

// The request as Alloy v1.18 makes it: Connect unary for a pprof, the legacy /ingest for the rest.
// Uses up the profile's payload.
HttpPost MakePost(const PushTarget& target, profile::v1::Profile profile);

// The 16 bytes of a profile's id as a UUID's text.
std::string UuidText(const std::string& id);

// A URL as logs, metrics and /debug/state may show it: without user and password.
std::string PublicUrl(const std::string& url);

// What this program calls itself: "Stoker/0.1.0".
std::string UserAgent();

}  // namespace stoker::forwarder
