#pragma once

#include "services/common/config/components/discovery_polled.h"
#include "services/discovery/sources/fetcher.h"
#include "services/discovery/sources/kept_targets.h"
#include "services/discovery/sources/polled_source.h"

namespace stoker::discovery::kubernetes {

// discovery.kubelet: the pods of one node, as its kubelet tells them on `<url>/pods`, with the
// labels of discovery.kubernetes' role pod.
class KubeletPoller final : public Poller {
 public:
  explicit KubeletPoller(const config::DiscoveryKubelet& arguments)
      : arguments_(arguments), fetcher_(arguments.client) {}

  absl::StatusOr<model::TargetVector> Ask() override;
  absl::Duration RetryAfter() override { return fetcher_.retry_after(); }
  void Interrupt() override { fetcher_.Interrupt(); }

 private:
  const config::DiscoveryKubelet arguments_;
  Fetcher fetcher_;
  KeptTargets targets_;
};

}  // namespace stoker::discovery::kubernetes
