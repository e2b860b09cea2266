#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <nlohmann/json.hpp>

#include "services/common/base/clock.h"
#include "services/discovery/kubernetes/cluster_access.h"
#include "services/discovery/kubernetes/object_json.h"
#include "services/discovery/sources/fetcher.h"

namespace stoker::discovery::kubernetes {

// Which objects are wanted.
struct ObjectQuery {
  Resource resource = Resource::kPods;
  // Empty: all namespaces.
  std::string namespace_name;
  // In the place of namespace_name.
  bool own_namespace = false;
  // In Kubernetes' selector syntax.
  std::string label_selector;
  std::string field_selector;
  bool operator==(const ObjectQuery&) const = default;
};

// How long a server is waited for.
struct ReflectorLimits {
  // For a page of a list, and for the next byte of it.
  absl::Duration page = absl::Minutes(1);
  absl::Duration page_idle = absl::Seconds(20);
  // For the next byte of a watch: bookmarks come about once a minute.
  absl::Duration watch_idle = absl::Minutes(3);
};

// Gets what a Reflector sees. Called on its threads, one call after another.
class ReflectorSink {
 public:
  virtual ~ReflectorSink() = default;

  // Between the two, Put gives all objects there are; others are gone.
  virtual void ListBegins() = 0;
  virtual void ListEnds() = 0;
  virtual void Put(Object object) = 0;
  virtual void Remove(const Object& object) = 0;
  // OK, or why what it gave grows old. It goes on by itself.
  virtual void SetStatus(const absl::Status& status) = 0;
};

// Keeps a sink in step with the objects of an API server: lists them page by page, then watches
// what changes. A watch that ends is taken up where it was; what cannot be taken up is listed anew.
// Failures are tried again from 1 s on, twice as long each time up to 30 s, but not before the
// server wishes. Source of the protocol:
// Kubernetes' API concepts (https://kubernetes.io/docs/reference/using-api/api-concepts).
class Reflector {
 public:
  // Borrows arguments, clock and sink.
  Reflector(const config::DiscoveryKubernetes& arguments, PodSurroundings surroundings,
            ObjectQuery query, Clock& clock, ReflectorSink& sink, ReflectorLimits limits = {});
  // Does not wait for the peer.
  ~Reflector();
  Reflector(const Reflector&) = delete;
  Reflector& operator=(const Reflector&) = delete;

  [[nodiscard]] nlohmann::json DebugState() const;

 private:
  struct Counts {
    std::uint64_t lists = 0;
    std::uint64_t watches = 0;
    std::uint64_t events = 0;
    std::uint64_t failures = 0;
  };

  void Run();
  // One step; returns how long to wait before the next.
  absl::Duration Step();
  absl::Status Connect();
  absl::Status List();
  absl::Status ListPage(ObjectPage& page);
  // OK when it ended as watches do; `began` when the server answered it.
  absl::Status Watch(bool& began);
  // The pieces of a watch.
  absl::Status Take(std::string_view piece);
  absl::Status TakeLine(std::string_view line);
  [[nodiscard]] std::string Url(const std::string& query) const;
  absl::StatusOr<http::Response> Fetch(http::ClientRequest request);
  void SetStatus(const absl::Status& status);
  void Count(std::uint64_t Counts::* counter);
  void SetResourceVersion(std::string version);

  const config::DiscoveryKubernetes& arguments_;
  const PodSurroundings surroundings_;
  const ObjectQuery query_;
  Clock& clock_;
  ReflectorSink& sink_;
  const ReflectorLimits limits_;

  // Of the thread, and of the client's while that waits for it.
  std::optional<ClusterAccess> access_;
  std::int64_t page_size_;
  bool listed_ = false;
  // The start of a line of the watch.
  std::string line_;
  std::uint64_t events_in_watch_ = 0;
  // What the last answer of this step asked for.
  absl::Duration retry_after_;
  // Steps in a row that came to nothing.
  std::uint64_t fruitless_ = 0;

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<Fetcher> fetcher_ ABSL_GUARDED_BY(mutex_);
  Counts counts_ ABSL_GUARDED_BY(mutex_);
  // From where the next watch goes on.
  std::string resource_version_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

// The path of a resource, of one namespace or of all.
std::string ResourcePath(Resource resource, const std::string& namespace_name);

// "pods", "endpointslices" …
std::string_view ResourceName(Resource resource);

}  // namespace stoker::discovery::kubernetes
