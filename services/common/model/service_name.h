#pragma once

#include <string>
#include <string_view>

#include "services/common/model/labels.h"

namespace stoker::model {

// The service_name of a target, in the seeds' order: the label itself; its pod's annotation
// pyroscope.io/service_name; "<prefix><namespace>/<container>" of Kubernetes; the Docker
// container's name; the Swarm service's name; else "unspecified". `prefix` is "", "ebpf/" or
// "java/". Source: the seeds' component pages; Alloy v1.18 for the prefix.
std::string InferServiceName(const Labels& target, std::string_view prefix);

}  // namespace stoker::model
