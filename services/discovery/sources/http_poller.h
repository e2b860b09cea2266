#pragma once

#include "services/discovery/sources/fetcher.h"
#include "services/discovery/sources/kept_targets.h"
#include "services/discovery/sources/polled_source.h"

namespace stoker::discovery {

// discovery.http: a URL that answers with target groups in JSON.
class HttpPoller final : public Poller {
 public:
  explicit HttpPoller(const config::DiscoveryHttp& arguments)
      : arguments_(arguments), fetcher_(arguments.client) {}

  absl::StatusOr<model::TargetVector> Ask() override;
  absl::Duration RetryAfter() override { return fetcher_.retry_after(); }
  void Interrupt() override { fetcher_.Interrupt(); }

 private:
  const config::DiscoveryHttp arguments_;
  Fetcher fetcher_;
  KeptTargets targets_;
};

}  // namespace stoker::discovery
