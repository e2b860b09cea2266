#include "services/discovery/kubernetes/kubernetes_source.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/discovery/kubernetes/api_server_double.h"
#include "services/discovery/sources/recording_sink.h"

namespace stoker::discovery::kubernetes {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Names = std::set<std::string>;
using Said = RecordingSink::Said;

Names PodsOf(const Said& said) {
  Names names;
  for (const model::TargetPtr& target : said.targets) {
    names.emplace(target->labels.Get("__meta_kubernetes_pod_name"));
  }
  return names;
}

std::function<bool(const Said&)> Has(Names names) {
  return [names = std::move(names)](const Said& said) {
    return said.status.ok() && said.found > 0 && PodsOf(said) == names;
  };
}

std::function<bool(const Said&)> FailsWith(std::string text) {
  return [text = std::move(text)](const Said& said) {
    return !said.status.ok() && said.status.ToString().find(text) != std::string::npos;
  };
}

class KubernetesSourceTest : public ::testing::Test {
 protected:
  config::DiscoveryKubernetes Arguments() const {
    config::DiscoveryKubernetes arguments;
    arguments.api_server = server_.url();
    return arguments;
  }
  std::unique_ptr<Source> Start(const config::DiscoveryKubernetes& arguments,
                                const std::string& node_name = "") {
    return std::make_unique<KubernetesSource>("discovery.kubernetes.x", arguments, node_name,
                                              PodSurroundings{}, clock_,
                                              KubernetesMetrics(registry_), sink_);
  }
  // Requests of lists or watches that the server got.
  std::vector<std::string> Requests(bool watch) {
    std::vector<std::string> requests;
    const nlohmann::json answer = server_.Do("{}");
    for (const auto& request : answer["requests"]) {
      const auto path = request.get<std::string>();
      if ((path.find("watch=1") != std::string::npos) == watch) requests.push_back(path);
    }
    return requests;
  }

  ApiServerDouble server_;
  SystemClock clock_;
  metrics::Registry registry_;
  RecordingSink sink_;
};

// Pods are listed page by page and then watched: what comes, changes and goes is told, and what
// stays keeps its pointer.
TEST_F(KubernetesSourceTest, ListsAndWatches) {
  server_.Do(R"({"generate": 1201, "pods": [{"name": "a"}, {"name": "b"}]})");
  const auto source = Start(Arguments());
  const auto first = sink_.Await([](const Said& said) { return said.found > 0; });
  EXPECT_EQ(first.targets.size(), 1201u * 5 + 2);
  EXPECT_EQ(Requests(false).size(), 3u);
  server_.Do(R"({"pods": [{"name": "c"}, {"name": "b", "phase": "Failed"}],
                 "delete": [["pods", "default", "a"]]})");
  const auto second = sink_.Await([](const Said& said) {
    const Names names = PodsOf(said);
    return names.contains("c") && !names.contains("a");
  });
  EXPECT_EQ(second.targets.size(), first.targets.size());
  const std::set<model::TargetPtr> before(first.targets.begin(), first.targets.end());
  std::size_t kept = 0;
  for (const model::TargetPtr& target : second.targets) kept += before.contains(target) ? 1 : 0;
  EXPECT_EQ(kept, 1201u * 5);
}

// Bookmarks move the place from which a watch that ended goes on: no list is needed again, though
// the server has forgotten the changes from before them.
TEST_F(KubernetesSourceTest, GoesOnFromBookmarks) {
  server_.Do(R"({"bookmark_seconds": 0.02, "pods": [{"name": "a"}]})");
  const auto source = Start(Arguments());
  sink_.Await(Has({"a"}));
  server_.Do(R"({"put": [{"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n"}}]})");
  const auto version = server_.Do("{}")["version"].get<int>();
  // The pods' watch has seen no event since; only a bookmark tells it that version.
  for (int n = 0; n < 500; ++n) {
    server_.Do(R"({"compact": true, "drop_watches": "end"})");
    const std::vector<std::string> watches = Requests(true);
    if (watches.back().find(fmt::format("resourceVersion={}&", version)) != std::string::npos)
      break;
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_THAT(Requests(true).back(), HasSubstr(fmt::format("resourceVersion={}&", version)));
  server_.Do(R"({"pods": [{"name": "b"}]})");
  sink_.Await(Has({"a", "b"}));
}

// What the server has forgotten is listed anew: pods that went meanwhile go, and at no time the
// others.
TEST_F(KubernetesSourceTest, ListsAnewWhenGone) {
  server_.Do(R"({"bookmark_seconds": 1000, "pods": [{"name": "a"}, {"name": "b"}]})");
  const auto source = Start(Arguments());
  const auto first = sink_.Await(Has({"a", "b"}));
  server_.Do(R"({"faults": [{"kind": "status", "code": 500, "times": 2, "watch": true}],
                 "drop_watches": "reset"})");
  server_.Do(R"({"pods": [{"name": "c"}], "delete": [["pods", "default", "a"]], "compact": true})");
  const auto second = sink_.Await(Has({"b", "c"}));
  EXPECT_EQ(Requests(false).size(), 2u);
  const auto is_b = [](const model::TargetPtr& target) {
    return target->labels.Get("__meta_kubernetes_pod_name") == "b";
  };
  EXPECT_EQ(*std::find_if(first.targets.begin(), first.targets.end(), is_b),
            *std::find_if(second.targets.begin(), second.targets.end(), is_b));
}

// However a watch ends, it goes on, and nothing is reported as long as it can.
TEST_F(KubernetesSourceTest, TakesUpWatches) {
  const auto source = Start(Arguments());
  sink_.Await(Has({}));
  Names names;
  for (const std::string how : {"end", "half_close", "reset", "garbage"}) {
    server_.Do(R"({"drop_watches": ")" + how + R"("})");
    server_.Do(R"({"pods": [{"name": ")" + how + R"("}]})");
    names.insert(how);
    EXPECT_EQ(PodsOf(sink_.Await(Has(names))), names) << how;
  }
  EXPECT_EQ(sink_.Await([](const Said&) { return true; }).failed, 0);
}

// Errors of every kind are told with their cause, the last list stays, and the source recovers by
// itself.
TEST_F(KubernetesSourceTest, Failures) {
  server_.Do(R"({"pods": [{"name": "a"}]})");
  const auto source = Start(Arguments());
  sink_.Await(Has({"a"}));
  const auto fails = [&](const std::string& fault, const std::string& message) {
    server_.Do(R"({"faults": [)" + fault + R"(], "compact": true, "drop_watches": "reset"})");
    const auto said = sink_.Await(FailsWith(message));
    EXPECT_THAT(said.status.ToString(), HasSubstr("pods: "));
    EXPECT_THAT(said.status.ToString(), HasSubstr(message));
    EXPECT_EQ(PodsOf(said), Names{"a"});
    server_.Do(R"({"faults": []})");
    EXPECT_EQ(PodsOf(sink_.Await(Has({"a"}))), Names{"a"});
  };
  fails(R"({"kind": "status", "code": 401, "message": "Unauthorized"})", "401: Unauthorized");
  fails(R"({"kind": "status", "code": 403, "message": "pods is forbidden"})",
        "403: pods is forbidden");
  fails(R"({"kind": "status", "code": 500})", "HTTP status 500");
  EXPECT_THAT(source->DebugState().dump(), HasSubstr(R"("status":"OK")"));
}

// A server with too much to do is left alone as long as it asks for, and told of.
TEST_F(KubernetesSourceTest, LeavesAlone) {
  server_.Do(R"({"pods": [{"name": "a"}], "faults": [{"kind": "status", "code": 429, "times": 1,
      "retry_after": "3", "message": "too many requests"}]})");
  const absl::Duration begin = clock_.Monotonic();
  const auto source = Start(Arguments());
  sink_.Await(FailsWith("429: too many requests"));
  sink_.Await(Has({"a"}));
  EXPECT_GE(clock_.Monotonic() - begin, absl::Seconds(3));
}

// The first list may fail too; nothing is told before there is one.
TEST_F(KubernetesSourceTest, FirstListFails) {
  server_.Do(R"({"pods": [{"name": "a"}], "faults": [{"kind": "body", "body": "<html>"}]})");
  const auto source = Start(Arguments());
  EXPECT_EQ(sink_.Await(FailsWith("not JSON")).found, 0);
  server_.Do(R"({"faults": [{"kind": "body", "body": "{\"items\": [{}]}"}]})");
  EXPECT_EQ(sink_.Await(FailsWith("no metadata.name")).found, 0);
  server_.Do(R"({"faults": [{"kind": "huge", "bytes": 104857600}]})");
  EXPECT_EQ(sink_.Await(FailsWith("larger than")).found, 0);
  server_.Do(R"({"faults": []})");
  EXPECT_EQ(sink_.Await(Has({"a"})).found, 1);
}

// A server that does not go on is waited for no longer than the source lives.
TEST_F(KubernetesSourceTest, EndsWhileTheServerIsSlow) {
  server_.Do(R"({"faults": [{"kind": "slow", "seconds": 0.05}]})");
  auto source = Start(Arguments());
  for (int n = 0; n < 1000 && Requests(false).empty(); ++n) {
  }
  source.reset();
  EXPECT_EQ(sink_.Await([](const Said&) { return true; }).failed, 0);
}

// For a consumer on a node only its pods are asked for; with namespaces, each on its own.
TEST_F(KubernetesSourceTest, Scope) {
  server_.Do(R"({"pods": [{"name": "a", "node": "here"}, {"name": "b", "node": "there"},
                          {"name": "c", "node": "here", "namespace": "other"},
                          {"name": "d", "node": "here", "namespace": "more"}]})");
  auto source = Start(Arguments(), "here");
  EXPECT_EQ(PodsOf(sink_.Await(Has({"a", "c", "d"}))), (Names{"a", "c", "d"}));
  source.reset();
  config::DiscoveryKubernetes arguments = Arguments();
  arguments.namespaces.names = {"default", "other"};
  arguments.selectors = {{.role = Role::kPod, .label = "app=web", .field = ""}};
  source = Start(arguments);
  EXPECT_EQ(PodsOf(sink_.Await(Has({"a", "b", "c"}))), (Names{"a", "b", "c"}));
  server_.Do(R"({"delete": [["pods", "default", "a"]],
                 "pods": [{"name": "c", "namespace": "other", "labels": {"app": "db"}}]})");
  EXPECT_EQ(PodsOf(sink_.Await(Has({"b"}))), Names{"b"});
}

// The labels of nodes and namespaces follow them; pods of nodes that a selector leaves out are left
// out.
TEST_F(KubernetesSourceTest, AttachesMetadata) {
  const std::string node = R"({"kind": "Node", "apiVersion": "v1", "metadata":
      {"name": "node-a", "labels": {"zone": "ZONE"}}})";
  const auto with_zone = [&](const std::string& zone) {
    std::string text = node;
    return text.replace(text.find("ZONE"), 4, zone);
  };
  server_.Do(R"({"pods": [{"name": "a"}, {"name": "b", "node": "node-b"}], "put": [)" +
             with_zone("1") +
             R"(, {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "node-b"}},
                {"kind": "Namespace", "apiVersion": "v1", "metadata":
                 {"name": "default", "annotations": {"team/owner": "x"}}}]})");
  config::DiscoveryKubernetes arguments = Arguments();
  arguments.attach_metadata = {.node = true, .namespace_metadata = true};
  arguments.selectors = {{.role = Role::kNode, .label = "zone", .field = ""}};
  const auto source = Start(arguments);
  const auto zone_is = [](const std::string& zone) {
    return [zone](const Said& said) {
      return said.targets.size() == 1 &&
             said.targets[0]->labels.Get("__meta_kubernetes_node_label_zone") == zone;
    };
  };
  const auto first = sink_.Await(zone_is("1"));
  ASSERT_EQ(PodsOf(first), Names{"a"});
  EXPECT_EQ(first.targets[0]->labels.Get("__meta_kubernetes_namespace_annotation_team_owner"), "x");
  server_.Do(R"({"put": [)" + with_zone("2") + "]}");
  EXPECT_EQ(PodsOf(sink_.Await(zone_is("2"))), Names{"a"});
}

// Over TLS with the client's certificate, and with a token that changes while the source runs.
TEST(KubernetesTlsTest, Credentials) {
  std::string folder = "/tmp/kubernetes_XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  {
    const ApiServerDouble server({"--tls=" + folder, "--client-certificate"});
    const auto token = [&](const std::string& text) { std::ofstream(folder + "/token") << text; };
    token("one\n");
    std::ofstream(folder + "/config") << R"(
current-context: c
contexts: [{name: c, context: {cluster: k, user: u}}]
clusters: [{name: k, cluster: {server: ")"
                                      << server.url() << R"(", certificate-authority: ca.crt}}]
users: [{name: u, user: {client-certificate: client.crt, client-key: client.key, tokenFile: token}}]
)";
    server.Do(R"({"tokens": ["one"], "pods": [{"name": "a"}]})");
    config::DiscoveryKubernetes arguments;
    arguments.kubeconfig_file = folder + "/config";
    SystemClock clock;
    metrics::Registry registry;
    RecordingSink sink;
    const KubernetesSource source("discovery.kubernetes.x", arguments, "", {}, clock,
                                  KubernetesMetrics(registry), sink);
    sink.Await(Has({"a"}));
    server.Do(R"({"tokens": ["two"], "drop_watches": "end"})");
    EXPECT_THAT(sink.Await(FailsWith("401")).status.ToString(), HasSubstr("401: Unauthorized"));
    token("two\n");
    server.Do(R"({"pods": [{"name": "b"}]})");
    EXPECT_EQ(PodsOf(sink.Await(Has({"a", "b"}))), (Names{"a", "b"}));
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace stoker::discovery::kubernetes
