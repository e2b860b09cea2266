#include "services/discovery/sources/system_sources.h"

#include "services/common/base/status.h"
#include "services/discovery/kubernetes/kubelet_poller.h"
#include "services/discovery/kubernetes/kubernetes_source.h"
#include "services/discovery/sources/dns_poller.h"
#include "services/discovery/sources/docker_poller.h"
#include "services/discovery/sources/file_poller.h"
#include "services/discovery/sources/http_poller.h"
#include "services/discovery/sources/polled_source.h"

namespace stoker::discovery {
namespace {

// A source that this version cannot run.
class NoSource final : public Source {
 public:
  NoSource(const std::string& component_id, SourceSink& sink) {
    sink.Failed(
        Error(absl::StatusCode::kUnimplemented, "{} cannot run in this version", component_id));
  }
  [[nodiscard]] nlohmann::json DebugState() const override { return nullptr; }
};

struct Starter {
  const std::string& component_id;
  const std::string& node_name;
  Clock& clock;
  metrics::Registry& metrics;
  SourceSink& sink;

  std::unique_ptr<Source> operator()(const config::DiscoveryDns& arguments) const {
    return Poll(
        std::make_unique<DnsPoller>(arguments, std::make_shared<SystemDnsResolver>(), metrics),
        arguments, "dns");
  }
  std::unique_ptr<Source> operator()(const config::DiscoveryDocker& arguments) const {
    return Poll(std::make_unique<DockerContainers>(arguments, clock), arguments, "docker");
  }
  std::unique_ptr<Source> operator()(const config::DiscoveryDockerSwarm& arguments) const {
    return Poll(std::make_unique<DockerSwarm>(arguments, clock), arguments, "dockerswarm");
  }
  std::unique_ptr<Source> operator()(const config::DiscoveryFile& arguments) const {
    return Poll(std::make_unique<FilePoller>(arguments, component_id, metrics), arguments, "file");
  }
  std::unique_ptr<Source> operator()(const config::DiscoveryHttp& arguments) const {
    return Poll(std::make_unique<HttpPoller>(arguments), arguments, "http");
  }
  std::unique_ptr<Source> operator()(const config::DiscoveryKubelet& arguments) const {
    return Poll(std::make_unique<kubernetes::KubeletPoller>(arguments), arguments, "kubelet");
  }
  std::unique_ptr<Source> operator()(const config::DiscoveryKubernetes& arguments) const {
    return std::make_unique<kubernetes::KubernetesSource>(
        component_id, arguments, node_name, kubernetes::PodSurroundings::OfProcess(), clock,
        kubernetes::KubernetesMetrics(metrics), sink);
  }
  template <typename Arguments>
  std::unique_ptr<Source> operator()(const Arguments&) const {
    return std::make_unique<NoSource>(component_id, sink);
  }

  template <typename Arguments>
  [[nodiscard]] std::unique_ptr<Source> Poll(std::unique_ptr<Poller> poller,
                                             const Arguments& arguments,
                                             const std::string& mechanism) const {
    return std::make_unique<PolledSource>(std::move(poller), arguments.refresh_interval,
                                          RefreshMetrics::Of(metrics, mechanism, component_id),
                                          clock, sink);
  }
};

}  // namespace

std::unique_ptr<Source> SystemSources::Start(const std::string& component_id,
                                             const SourceArguments& arguments,
                                             const std::string& node_name, SourceSink& sink) {
  return std::visit(Starter{component_id, node_name, clock_, metrics_, sink}, arguments);
}

}  // namespace stoker::discovery
