// The shipped configuration for annotated pods scrapes what Pyroscope's Helm chart would, no more.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/config/components/discovery_relabel.h"
#include "services/common/config/configuration.h"
#include "services/common/config/fake_environment.h"
#include "services/common/relabel/relabeler.h"
#include "services/scraper/scrape_job.h"

namespace stoker::scraper {
namespace {

using model::Labels;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kAnnotation[] = "__meta_kubernetes_pod_annotation_profiles_grafana_com_";

class AnnotationsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ifstream file("deploy/kubernetes/annotations.alloy");
    auto configuration = config::Configuration::Parse(
        "annotations.alloy", {std::istreambuf_iterator<char>(file), {}}, environment_);
    ASSERT_TRUE(configuration.ok()) << configuration.status();
    configuration_ = *configuration;
  }

  // A container's port as discovery.kubernetes gives it, with annotations without their prefix.
  static Labels Pod(const std::map<std::string, std::string>& annotations) {
    Labels labels = {{"__address__", "10.0.0.1:8080"},
                     {"__meta_kubernetes_namespace", "shop"},
                     {"__meta_kubernetes_pod_name", "cart-1"},
                     {"__meta_kubernetes_pod_phase", "Running"},
                     {"__meta_kubernetes_pod_label_app", "cart"},
                     {"__meta_kubernetes_pod_container_name", "main"},
                     {"__meta_kubernetes_pod_container_port_number", "8080"},
                     {"__meta_kubernetes_pod_container_port_name", "http"}};
    for (const auto& [name, value] : annotations) labels.Set(kAnnotation + name, value);
    return labels;
  }

  // The jobs of all components for one pod, by what discovery would do.
  std::vector<ScrapeJob> Jobs(const Labels& pod) {
    std::map<std::string, model::TargetVector> exports;
    const auto lookup = [&](const std::string& id) -> const model::TargetVector& {
      return exports[id];
    };
    std::vector<ScrapeJob> jobs;
    for (const std::string& id : configuration_->ids()) {
      const std::string_view type = configuration_->Type(id);
      if (type == "discovery.kubernetes") {
        exports[id] = {std::make_shared<model::Target>(model::Target{.id = "pod", .labels = pod})};
      } else if (type == "discovery.relabel") {
        exports[id] = Relabelled(id, lookup);
      } else if (type == "pyroscope.scrape") {
        const auto arguments = configuration_->Arguments<config::PyroscopeScrape>(id);
        const auto targets = configuration_->Targets(id, "targets", lookup);
        EXPECT_TRUE(arguments.ok() && targets.ok()) << arguments.status() << targets.status();
        EXPECT_TRUE(arguments->clustering);
        EXPECT_THAT(arguments->forward_to, ElementsAre("pyroscope.write.pyroscope"));
        std::ranges::copy(MakeJobList(id, *arguments, *targets).jobs, std::back_inserter(jobs));
      }
    }
    return jobs;
  }

  std::vector<std::string> Urls(const std::map<std::string, std::string>& annotations) {
    std::vector<std::string> urls;
    for (const ScrapeJob& job : Jobs(Pod(annotations))) urls.push_back(job.url);
    std::ranges::sort(urls);
    return urls;
  }

  config::FakeEnvironment environment_;
  std::shared_ptr<const config::Configuration> configuration_;

 private:
  model::TargetVector Relabelled(const std::string& id, const config::TargetLookup& lookup) {
    const auto rules = configuration_->Arguments<config::DiscoveryRelabel>(id);
    const auto targets = configuration_->Targets(id, "targets", lookup);
    EXPECT_TRUE(rules.ok() && targets.ok()) << rules.status() << targets.status();
    const auto relabeler = relabel::Relabeler::Compile(rules->rules);
    EXPECT_TRUE(relabeler.ok()) << relabeler.status();
    model::TargetVector result;
    for (const model::TargetPtr& target : *targets) {
      model::Target changed = *target;
      if (relabeler->Apply(changed.labels)) {
        result.push_back(std::make_shared<model::Target>(std::move(changed)));
      }
    }
    return result;
  }
};

TEST_F(AnnotationsTest, NothingIsScrapedUnasked) {
  EXPECT_THAT(Urls({}), IsEmpty());
  EXPECT_THAT(Urls({{"cpu_port", "8080"}}), IsEmpty());
  EXPECT_THAT(Urls({{"cpu_scrape", "false"}, {"cpu_port", "8080"}}), IsEmpty());
  // Neither port annotation: nothing matches.
  EXPECT_THAT(Urls({{"cpu_scrape", "true"}}), IsEmpty());
}

TEST_F(AnnotationsTest, EachTypeAtItsPath) {
  const std::map<std::string, std::string> paths = {
      {"memory", "/debug/pprof/allocs"},       {"cpu", "/debug/pprof/profile?seconds=14"},
      {"goroutine", "/debug/pprof/goroutine"}, {"block", "/debug/pprof/block"},
      {"mutex", "/debug/pprof/mutex"},         {"fgprof", "/debug/fgprof?seconds=14"}};
  for (const auto& [type, path] : paths) {
    EXPECT_THAT(Urls({{type + "_scrape", "true"}, {type + "_port", "8080"}}),
                ElementsAre("http://10.0.0.1:8080" + path));
  }
}

TEST_F(AnnotationsTest, PortByNumber) {
  EXPECT_THAT(Urls({{"cpu_scrape", "true"}, {"cpu_port", "9090"}}), IsEmpty());
  EXPECT_THAT(Urls({{"cpu_scrape", "true"},
                    {"cpu_port", "8080"},
                    {"memory_scrape", "true"},
                    {"memory_port", "8080"},
                    {"memory_scheme", "https"},
                    {"memory_path", "/own"}}),
              ElementsAre("http://10.0.0.1:8080/debug/pprof/profile?seconds=14",
                          "https://10.0.0.1:8080/own"));
}

TEST_F(AnnotationsTest, PortByNameCountsAlone) {
  EXPECT_THAT(Urls({{"cpu_scrape", "true"}, {"cpu_port_name", "http"}}),
              ElementsAre("http://10.0.0.1:8080/debug/pprof/profile?seconds=14"));
  EXPECT_THAT(Urls({{"cpu_scrape", "true"}, {"cpu_port_name", "grpc"}, {"cpu_port", "8080"}}),
              IsEmpty());
}

TEST_F(AnnotationsTest, PodsThatDoNotRun) {
  for (const char* phase : {"Pending", "Succeeded", "Failed", "Completed"}) {
    Labels pod = Pod({{"cpu_scrape", "true"}, {"cpu_port", "8080"}});
    pod.Set("__meta_kubernetes_pod_phase", phase);
    EXPECT_THAT(Jobs(pod), IsEmpty());
  }
}

TEST_F(AnnotationsTest, LabelsOfTheProfiles) {
  const auto jobs = Jobs(Pod({{"cpu_scrape", "true"},
                              {"cpu_port", "8080"},
                              {"service_repository", "https://example.com/cart"},
                              {"service_git_ref", "v1"},
                              {"service_root_path", "src"}}));
  ASSERT_EQ(jobs.size(), 1U);
  EXPECT_EQ(jobs[0].PublicLabels().ToString(),
            R"({app="cart", container="main", instance="10.0.0.1:8080", job="annotated/cpu", )"
            R"(namespace="shop", pod="cart-1", service_git_ref="v1", service_name="shop/main", )"
            R"(service_repository="https://example.com/cart", service_root_path="src"})");
  EXPECT_EQ(jobs[0].labels.Get("__name__"), "process_cpu");
}

TEST_F(AnnotationsTest, NameOfTheService) {
  const auto name = [&](const char* own, const char* opentelemetry) {
    Labels pod = Pod({{"cpu_scrape", "true"}, {"cpu_port", "8080"}, {"service_name", own}});
    pod.Set("__meta_kubernetes_pod_annotation_resource_opentelemetry_io_service_name",
            opentelemetry);
    return std::string(Jobs(pod).at(0).labels.Get("service_name"));
  };
  EXPECT_EQ(name("cart", ""), "cart");
  EXPECT_EQ(name("cart", "otel"), "cart");
  EXPECT_EQ(name("", "otel"), "otel");
}

}  // namespace
}  // namespace stoker::scraper
