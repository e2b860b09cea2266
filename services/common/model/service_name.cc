#include "services/common/model/service_name.h"

#include <fmt/format.h>

namespace stoker::model {

std::string InferServiceName(const Labels& target, std::string_view prefix) {
  for (const char* name :
       {"service_name", "__meta_kubernetes_pod_annotation_pyroscope_io_service_name"}) {
    if (target.Has(name)) return std::string(target.Get(name));
  }
  const std::string_view container = target.Get("__meta_kubernetes_pod_container_name");
  if (const auto ns = target.Get("__meta_kubernetes_namespace");
      !ns.empty() && !container.empty()) {
    return fmt::format("{}{}/{}", prefix, ns, container);
  }
  for (const char* name :
       {"__meta_docker_container_name", "__meta_dockerswarm_container_label_service_name",
        "__meta_dockerswarm_service_name"}) {
    if (target.Has(name)) return std::string(target.Get(name));
  }
  return "unspecified";
}

}  // namespace stoker::model
