#pragma once

#include <map>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <nlohmann/json.hpp>

#include "services/common/config/components/discovery_docker.h"
#include "services/discovery/sources/fetcher.h"

namespace stoker::discovery {

// Where a Docker daemon listens, and how to speak to it.
struct DockerHost {
  // "http://host:port", without a slash at its end; for a Unix socket "http://docker".
  std::string url;
  std::string unix_socket;
  config::HttpClientConfig client;
};

// `host` as Docker's own clients take it: unix:///path, tcp://host:port, http:// or https://. tcp
// is HTTP, with a tls_config HTTPS. A Unix socket takes no settings of `client`.
absl::StatusOr<DockerHost> ParseDockerHost(std::string_view host,
                                           const config::HttpClientConfig& client);

// The value of the parameter `filters` of Docker's API; "" without filters.
std::string DockerFilters(const std::vector<config::DockerFilter>& filters);

// Asks the Docker Engine API, in the version that the daemon and we both speak: negotiated first,
// and again after a failure. Called on one thread, but for Interrupt.
// https://docs.docker.com/reference/api/engine/
class DockerClient {
 public:
  using Query = std::map<std::string, std::string>;

  explicit DockerClient(DockerHost host) : host_(std::move(host)), fetcher_(host_.client) {}

  // The list at `path` ("/containers/json"). Parameters without a value are left out.
  absl::StatusOr<nlohmann::json> List(std::string_view path, const Query& query);
  // A GET of `path`.
  absl::StatusOr<http::ClientRequest> Request(std::string_view path, const Query& query);

  // As Fetcher has them.
  [[nodiscard]] absl::Duration retry_after() const { return fetcher_.retry_after(); }
  void Interrupt() { fetcher_.Interrupt(); }
  // "1.41"; "" before it is negotiated.
  [[nodiscard]] const std::string& version() const { return version_; }

 private:
  absl::Status Negotiate();
  absl::StatusOr<http::Response> Fetch(http::ClientRequest request);

  const DockerHost host_;
  Fetcher fetcher_;
  std::string version_;
};

}  // namespace stoker::discovery
