#include "services/discovery/kubernetes/kubelet_poller.h"

#include <algorithm>
#include <utility>

#include "services/common/base/status.h"
#include "services/common/http/shown_url.h"
#include "services/discovery/kubernetes/object_json.h"
#include "services/discovery/kubernetes/role_targets.h"

namespace stoker::discovery::kubernetes {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(30);
// A node has a few hundred pods at most.
constexpr std::size_t kMaxBodyBytes = std::size_t{32} << 20;

// Nothing beside the pods themselves.
class NoLookup final : public ObjectLookup {
 public:
  const Object* Find(Resource, const std::string&) override { return nullptr; }
};

}  // namespace

absl::StatusOr<model::TargetVector> KubeletPoller::Ask() {
  const std::string url = arguments_.url + (arguments_.url.ends_with('/') ? "pods" : "/pods");
  STOKER_ASSIGN_OR_RETURN(const http::Response response,
                          fetcher_.Fetch({.url = url,
                                          .headers = {{"Accept", "application/json"}},
                                          .timeout = kTimeout,
                                          .max_body_bytes = kMaxBodyBytes}));
  const std::string shown_url = http::ShownUrl(url);
  if (response.status != 200) {
    return Unavailable("{}: server returned HTTP status {}", shown_url, response.status);
  }
  const absl::StatusOr<ObjectPage> page = ParseList(Resource::kPods, response.body);
  if (!page.ok()) return WithContext(page.status(), shown_url);
  const std::vector<std::string>& wanted = arguments_.namespaces;
  NoLookup lookup;
  std::vector<KeptTargets::Found> found;
  for (const Object& object : page->objects) {
    const ObjectMeta& meta = MetaOf(object);
    const bool skipped = !wanted.empty() && std::find(wanted.begin(), wanted.end(),
                                                      meta.namespace_name) == wanted.end();
    if (skipped) continue;
    const std::string key = KeyOf(meta.namespace_name, meta.name);
    for (ObjectTarget& target : MakeTargets(object, {}, lookup)) {
      found.push_back({key + "/" + target.name, std::move(target.labels)});
    }
  }
  return targets_.Make(std::move(found));
}

}  // namespace stoker::discovery::kubernetes
