#include "services/common/config/configuration.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/base/status.h"
#include "services/common/config/components/discovery_process.h"
#include "services/common/config/components/discovery_relabel.h"
#include "services/common/config/components/pyroscope_ebpf.h"
#include "services/common/config/components/pyroscope_scrape.h"
#include "services/common/config/components/pyroscope_write.h"
#include "services/common/config/fake_environment.h"

namespace stoker::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ConfigurationTest : public ::testing::Test {
 protected:
  std::shared_ptr<const Configuration> Parse(const std::string& text, LoadOptions options = {}) {
    auto parsed = Configuration::Parse("test", text, environment_, options);
    EXPECT_TRUE(parsed.ok()) << parsed.status().message();
    return parsed.ok() ? *parsed : nullptr;
  }

  // The diagnostics that refuse `text`.
  std::string ErrorsOf(const std::string& text, LoadOptions options = {}) {
    const auto parsed = Configuration::Parse("test", text, environment_, options);
    return parsed.ok() ? "" : std::string(Message(parsed.status()));
  }

  FakeEnvironment environment_;
};

model::TargetVector Processes() {
  model::Target target{.id = "1/100", .process_start_ticks = 100};
  target.labels = {{"__process_pid__", "1"}};
  return {std::make_shared<const model::Target>(target)};
}

// The published example of process discovery loads without a word, and its arguments arrive typed.
TEST_F(ConfigurationTest, LoadsProcessDiscovery) {
  const auto loaded =
      Configuration::Load("services/common/config/testdata/process_discovery.alloy",
                          MachineEnvironment(), {.strict = true, .check_values = true});
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  const Configuration& configuration = **loaded;
  EXPECT_THAT(configuration.warnings(), IsEmpty());
  EXPECT_EQ(configuration.hash().size(), 64U);
  EXPECT_THAT(configuration.Components("pyroscope.ebpf"), ElementsAre("pyroscope.ebpf.java"));

  const auto process = configuration.Arguments<DiscoveryProcess>("discovery.process.all");
  ASSERT_TRUE(process.ok()) << process.status().message();
  EXPECT_EQ(process->refresh_interval, absl::Seconds(60));

  const auto relabel = configuration.Arguments<DiscoveryRelabel>("discovery.relabel.java");
  ASSERT_TRUE(relabel.ok()) << relabel.status().message();
  ASSERT_EQ(relabel->rules.size(), 1U);
  EXPECT_EQ(relabel->rules[0].action, RelabelRule::Action::kKeep);
  EXPECT_EQ(relabel->rules[0].regex, ".*/java$");

  const auto ebpf = configuration.Arguments<PyroscopeEbpf>("pyroscope.ebpf.java");
  ASSERT_TRUE(ebpf.ok()) << ebpf.status().message();
  EXPECT_THAT(ebpf->forward_to, ElementsAre("pyroscope.write.staging"));
  EXPECT_EQ(ebpf->sample_rate, 97);

  EXPECT_THAT(configuration.Dependencies("pyroscope.ebpf.java", "targets"),
              ElementsAre("discovery.process.all", "discovery.relabel.java"));
  EXPECT_THAT(configuration.References("pyroscope.ebpf.java", "targets"),
              ElementsAre("discovery.relabel.java"));
  EXPECT_EQ(configuration.WholeReference("pyroscope.ebpf.java", "targets"),
            "discovery.relabel.java");
  EXPECT_EQ(configuration.WholeReference("pyroscope.ebpf.java", "forward_to"), "");
  EXPECT_EQ(configuration.WholeReference("pyroscope.ebpf.unknown", "targets"), "");
}

// Whole files of published examples, and one of each component, validate without a word.
TEST_F(ConfigurationTest, ValidatesExamples) {
  const std::map<std::string, std::size_t> components = {
      {"process_discovery", 4}, {"static_targets", 4}, {"kubernetes_pods", 4},
      {"docker_containers", 4}, {"java_processes", 4}, {"scrape_targets", 5},
      {"cloud_endpoint", 3},    {"quick_start", 4},    {"all_components", 10},
      {"local_file", 2},        {"modules", 7}};
  for (const auto& [name, count] : components) {
    const auto loaded =
        Configuration::Load("services/common/config/testdata/" + name + ".alloy",
                            MachineEnvironment(), {.strict = true, .check_values = true});
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    EXPECT_THAT((*loaded)->warnings(), IsEmpty()) << name;
    EXPECT_EQ((*loaded)->ids().size(), count) << name;
  }
}

// A text at the bound of 10 MB loads; one of errors, or of brackets ten thousand deep, ends with a
// diagnostic that gives the place.
TEST_F(ConfigurationTest, Bounds) {
  std::string large;
  while (large.size() < (std::size_t{10} << 20) - 100) {
    large += "// A comment, of which there may be many.\n";
  }
  EXPECT_NE(Parse(large + "discovery.process \"all\" { }\n"), nullptr);
  constexpr int kDeep = 10'000;
  const auto repeat = [](const std::string& text) {
    std::string all;
    for (int i = 0; i < kDeep; ++i) all += text;
    return all;
  };
  const std::vector<std::string> deep = {"a = " + repeat("("),      "a = " + repeat("["),
                                         "a = " + repeat("{ b = "), "a = " + repeat("-") + "1",
                                         "a = " + repeat("f("),     repeat("a { ")};
  for (const std::string& text : deep) {
    const auto loaded = Configuration::Parse("test", text, environment_);
    EXPECT_THAT(std::string(loaded.status().message()), HasSubstr("nested deeper than"))
        << text.substr(0, 20);
    EXPECT_THAT(std::string(loaded.status().message()), HasSubstr("test:1:"));
  }
  const auto wrong = Configuration::Parse("test", repeat("= ;\n"), environment_);
  EXPECT_EQ(wrong.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_LT(wrong.status().message().size(), 64U << 10);
}

// env, concat, lists inside lists and one-line blocks work without a warning; secrets come from the
// environment when the arguments are asked for.
TEST_F(ConfigurationTest, LoadsStaticTargets) {
  const auto text = MachineEnvironment().ReadFile(
      "services/common/config/testdata/static_targets.alloy", 1 << 20);
  ASSERT_TRUE(text.ok());
  const auto configuration = Parse(*text, {.strict = true, .check_values = true});
  ASSERT_NE(configuration, nullptr);
  EXPECT_THAT(configuration->warnings(), IsEmpty());

  // Without an address the endpoint cannot be built, which concerns this component alone.
  EXPECT_THAT(
      std::string(
          configuration->Arguments<PyroscopeWrite>("pyroscope.write.local").status().message()),
      HasSubstr("url must not be empty"));
  environment_.variables = {{"GC_URL", "http://x"}, {"GC_USER", "me"}, {"GC_PASSWORD", "hidden"}};
  const auto write = configuration->Arguments<PyroscopeWrite>("pyroscope.write.local");
  ASSERT_TRUE(write.ok()) << write.status().message();
  ASSERT_EQ(write->endpoints.size(), 1U);
  EXPECT_EQ(write->endpoints[0].client.basic_auth->password.value, "hidden");
  EXPECT_EQ(write->external_labels.at("replica"), "3");
}

// Targets taken over from a component keep their pointers; written-out ones get an id of their own.
TEST_F(ConfigurationTest, EvaluatesTargets) {
  const auto text = MachineEnvironment().ReadFile(
      "services/common/config/testdata/static_targets.alloy", 1 << 20);
  const auto configuration = Parse(*text);
  ASSERT_NE(configuration, nullptr);
  const std::map<std::string, model::TargetVector> exports = {
      {"discovery.process.all", Processes()}, {"discovery.relabel.all", Processes()}};
  const TargetLookup lookup = [&](const std::string& id) -> const model::TargetVector& {
    return exports.at(id);
  };

  const auto relabel = configuration->Targets("discovery.relabel.all", "targets", lookup);
  ASSERT_TRUE(relabel.ok()) << relabel.status().message();
  ASSERT_EQ(relabel->size(), 3U);
  EXPECT_EQ((*relabel)[0]->labels.Get("service_name"), "pyroscope");
  EXPECT_NE((*relabel)[0]->id, (*relabel)[1]->id);
  EXPECT_EQ((*relabel)[2], exports.at("discovery.process.all")[0]);

  const auto ebpf = configuration->Targets("pyroscope.ebpf.local", "targets", lookup);
  ASSERT_TRUE(ebpf.ok()) << ebpf.status().message();
  ASSERT_EQ(ebpf->size(), 2U);
  EXPECT_EQ((*ebpf)[0], exports.at("discovery.relabel.all")[0]);
  EXPECT_EQ((*ebpf)[1]->labels.Get("__process_pid__"), "1");
}

// Settings of our own and of logging are read with expressions; their defaults stand without them.
TEST_F(ConfigurationTest, ReadsSettings) {
  environment_.variables = {{"TENANT", "team-a"}};
  const auto settings = Parse(R"(
logging {
  level  = "debug"
  format = "json"
}
http { }
stoker {
  tenant = sys.env("TENANT")
  symbolizer { address = "symbols:4042" }
  forwarder {
    default_receivers = [pyroscope.write.a.receiver]
    spool { max_bytes = "512MiB" }
  }
}
pyroscope.write "a" { }
)");
  ASSERT_NE(settings, nullptr);
  ASSERT_EQ(settings->warnings().size(), 1U);
  EXPECT_THAT(settings->warnings()[0], HasSubstr("block \"http\" has no effect"));
  EXPECT_EQ(settings->logging().level, log::Level::kDebug);
  EXPECT_EQ(settings->logging().format, log::Format::kJson);
  EXPECT_EQ(settings->stoker().tenant, "team-a");
  EXPECT_EQ(settings->stoker().symbolizer.address, "symbols:4042");
  EXPECT_THAT(settings->stoker().forwarder.default_receivers, ElementsAre("pyroscope.write.a"));
  EXPECT_EQ(settings->stoker().forwarder.spool.max_bytes, std::uint64_t{512} << 20);
  EXPECT_EQ(settings->stoker().store.retention, absl::Hours(168));
}

// Each structural error gives its place and Alloy's message.
TEST_F(ConfigurationTest, RefusesWithPlaceAndMessage) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"pyroscope.write \"a\" { endpoint { } }",
       "Error: test:1:23: missing required attribute \"url\""},
      {"pyroscope.write \"a\" {\n  colour = 1\n}",
       "Error: test:2:3: unrecognized attribute name \"colour\""},
      {"pyroscope.write \"a\" {\n  colour { }\n}",
       "Error: test:2:3: unrecognized block name \"colour\""},
      {"pyroscope.write \"a\" {\n  external_labels = { }\n  external_labels = { }\n}",
       "Error: test:3:3: attribute \"external_labels\" may only be provided once"},
      {"pyroscope.write \"a\" {\n  endpoint = 1\n}",
       "Error: test:2:3: \"endpoint\" must be a block, but is used as an attribute"},
      {"pyroscope.write \"a\" {\n  external_labels { }\n}",
       "Error: test:2:3: \"external_labels\" must be an attribute, but is used as a block"},
      {"discovery.process \"a\" {\n  discover_config \"b\" { }\n}",
       "Error: test:2:3: block \"discover_config\" does not support specifying labels"},
      {"discovery.process \"a\" {\n  discover_config { }\n  discover_config { }\n}",
       "Error: test:3:3: block \"discover_config\" may only be specified once"},
      {"discovery.process \"a\" {\n  refresh_interval = [1]\n}",
       "Error: test:2:22: [1] should be string, got array"},
      {"pyroscope.write \"a\" {\n  external_labels = true\n}",
       "Error: test:2:21: true should be object, got bool"},
      {"discovery.process \"a\" {\n  discover_config {\n    exe = \"yes\"\n  }\n}",
       "Error: test:3:11: \"yes\" should be bool, got string"},
      {"discovery.process { }",
       "Error: test:1:1: component \"discovery.process\" must have a label"},
      {"discovery.proces \"a\" { }",
       "Error: test:1:1: cannot find the definition of component name \"discovery.proces\""},
      {"prometheus.scrape \"a\" { }",
       "Error: test:1:1: component \"prometheus.scrape\" of the family prometheus.* is not part of "
       "Stoker"},
      {"remotecfg { }", "Error: test:1:1: \"remotecfg\" is not supported"},
      {"pyroscope.write \"a\" { }\npyroscope.write \"a\" { }",
       "Error: test:2:1: block pyroscope.write.a already declared at test:1:1"},
      {"discovery.relabel \"a\" {\n  targets = discovery.process.b.targets\n}",
       "Error: test:2:13: component \"discovery.process.b.targets\" does not exist or is out of "
       "scope"},
      {"discovery.process \"b\" { }\ndiscovery.relabel \"a\" {\n  targets = "
       "discovery.process.b.output\n}",
       "Error: test:3:13: field \"output\" does not exist"},
      {"discovery.relabel \"a\" {\n  targets = discovery.relabel.a.output\n}",
       "Error: test:2:13: cannot reference self"},
      {"discovery.relabel \"a\" { targets = discovery.relabel.b.output }\n"
       "discovery.relabel \"b\" { targets = discovery.relabel.a.output }",
       "Error: test:1:1: cycle detected: discovery.relabel.a, discovery.relabel.b"},
      {"discovery.process \"p\" { }\npyroscope.ebpf \"a\" {\n  targets = []\n"
       "  forward_to = discovery.process.p.targets[0]\n}\ncolour = 1",
       "Error: test:6:1: unrecognized attribute name \"colour\""},
      {"pyroscope.ebpf \"a\" {\n  targets    = []\n  forward_to = [\"x\"]\n}",
       "Error: test:3:17: \"x\" should be ProfilesReceiver, got string"},
      {"pyroscope.write \"w\" { }\npyroscope.ebpf \"a\" {\n  targets    = "
       "pyroscope.write.w.receiver\n  forward_to = []\n}",
       "Error: test:3:16: pyroscope.write.w.receiver should be array, got capsule"},
      {"discovery.relabel \"a\" {\n  targets = [1]\n}",
       "Error: test:2:14: target::ConvertFrom: conversion from 'number' is not supported"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_THAT(ErrorsOf(text, {.check_values = true}), HasSubstr(expected)) << text;
  }
}

// A wrong value refuses a configuration that is validated, but only its component when services
// load it: a reload with one bad regular expression leaves the others alone.
TEST_F(ConfigurationTest, WrongValueConcernsItsComponent) {
  const std::string text = R"(discovery.relabel "bad" {
  targets = []
  rule {
    action = "labeldrop"
    regex  = "("
  }
}
discovery.process "good" { }
)";
  EXPECT_THAT(ErrorsOf(text, {.check_values = true}), HasSubstr("test:3:3: regex \"(\""));
  const auto configuration = Parse(text);
  ASSERT_NE(configuration, nullptr);
  EXPECT_FALSE(configuration->Arguments<DiscoveryRelabel>("discovery.relabel.bad").ok());
  EXPECT_TRUE(configuration->Arguments<DiscoveryProcess>("discovery.process.good").ok());
}

// Deprecated names warn, and fail only where that is asked for.
TEST_F(ConfigurationTest, DeprecatedNamesWarn) {
  const std::string text =
      "pyroscope.write \"a\" { external_labels = { \"a\" = to_lower(\"B\") } }";
  const auto configuration = Parse(text);
  ASSERT_NE(configuration, nullptr);
  ASSERT_EQ(configuration->warnings().size(), 1U);
  EXPECT_THAT(configuration->warnings()[0], HasSubstr("Warning: test:1:49"));
  EXPECT_THAT(ErrorsOf(text, {.strict = true}), HasSubstr("string.to_lower"));
}

// Components of other families are named, or left out where that is asked for.
TEST_F(ConfigurationTest, SkipsUnknownFamilies) {
  const auto configuration =
      Parse("loki.write \"a\" { }\npyroscope.write \"b\" { }", {.skip_unknown = true});
  ASSERT_NE(configuration, nullptr);
  EXPECT_THAT(configuration->ids(), ElementsAre("pyroscope.write.b"));
  EXPECT_EQ(configuration->warnings().size(), 1U);
}

// A file's content reaches another component's arguments; as a secret it is never printed.
TEST_F(ConfigurationTest, ReadsLocalFiles) {
  environment_.files = {{"/run/token", "s3cret"}};
  const auto configuration = Parse(R"(
local.file "token" {
  filename  = "/run/token"
  is_secret = true
}
pyroscope.write "ok" {
  endpoint {
    url          = "http://x"
    bearer_token = local.file.token.content
  }
}
pyroscope.write "leak" {
  external_labels = { "token" = local.file.token.content }
}
)");
  ASSERT_NE(configuration, nullptr);
  const auto write = configuration->Arguments<PyroscopeWrite>("pyroscope.write.ok");
  ASSERT_TRUE(write.ok()) << write.status().message();
  EXPECT_EQ(write->endpoints[0].client.bearer_token.value, "s3cret");
  const auto leak = configuration->Arguments<PyroscopeWrite>("pyroscope.write.leak").status();
  EXPECT_THAT(std::string(leak.message()), HasSubstr("secrets may not be converted into strings"));
  EXPECT_THAT(std::string(leak.message()), Not(HasSubstr("s3cret")));
}

// The files of a folder are one configuration.
TEST_F(ConfigurationTest, LoadsFolder) {
  environment_.files = {
      {"/etc/stoker/a.alloy", "discovery.relabel \"r\" { targets = discovery.process.p.targets }"},
      {"/etc/stoker/b.alloy", "discovery.process \"p\" { }"}};
  const auto loaded = Configuration::Load("/etc/stoker", environment_);
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  EXPECT_THAT((*loaded)->ids(), ElementsAre("discovery.process.p", "discovery.relabel.r"));
}

// A declare block is instantiated with its arguments, and its exports lead to what is inside.
TEST_F(ConfigurationTest, ExpandsDeclare) {
  const auto configuration = Parse(R"(
declare "by_exe" {
  argument "targets" { }
  argument "exe" {
    optional = true
    default  = ".*"
  }
  discovery.relabel "keep" {
    targets = argument.targets.value
    rule {
      action        = "keep"
      source_labels = ["__meta_process_exe"]
      regex         = argument.exe.value
    }
  }
  export "output" { value = discovery.relabel.keep.output }
}
discovery.process "all" { }
by_exe "java" {
  targets = discovery.process.all.targets
  exe     = ".*/java"
}
by_exe "any" { targets = by_exe.java.output }
pyroscope.write "w" { }
pyroscope.ebpf "e" {
  targets    = by_exe.any.output
  forward_to = [pyroscope.write.w.receiver]
}
)");
  ASSERT_NE(configuration, nullptr);
  EXPECT_THAT(configuration->Dependencies("pyroscope.ebpf.e", "targets"),
              ElementsAre("discovery.process.all", "by_exe.java/discovery.relabel.keep",
                          "by_exe.any/discovery.relabel.keep"));
  const auto java =
      configuration->Arguments<DiscoveryRelabel>("by_exe.java/discovery.relabel.keep");
  ASSERT_TRUE(java.ok()) << java.status().message();
  EXPECT_EQ(java->rules[0].regex, ".*/java");
  const auto any = configuration->Arguments<DiscoveryRelabel>("by_exe.any/discovery.relabel.keep");
  ASSERT_TRUE(any.ok()) << any.status().message();
  EXPECT_EQ(any->rules[0].regex, ".*");
}

// Imported modules work by their namespace; foreach makes one copy an item.
TEST_F(ConfigurationTest, ExpandsImportsAndForeach) {
  environment_.files = {{"/lib.alloy", R"(declare "sink" {
  argument "url" { }
  pyroscope.write "w" {
    endpoint { url = argument.url.value }
  }
  export "receiver" { value = pyroscope.write.w.receiver }
}
)"}};
  const auto configuration = Parse(R"(
import.file "lib" { filename = "/lib.alloy" }
foreach "sinks" {
  collection = ["http://a", "http://b"]
  var        = "each"
  template {
    lib.sink "s" { url = each }
  }
}
lib.sink "main" { url = "http://c" }
pyroscope.ebpf "e" {
  targets    = []
  forward_to = [lib.sink.main.receiver]
}
)");
  ASSERT_NE(configuration, nullptr);
  EXPECT_THAT(configuration->Components("pyroscope.write"),
              ::testing::UnorderedElementsAre("foreach.sinks/http://a/lib.sink.s/pyroscope.write.w",
                                              "foreach.sinks/http://b/lib.sink.s/pyroscope.write.w",
                                              "lib.sink.main/pyroscope.write.w"));
  const auto write = configuration->Arguments<PyroscopeWrite>(
      "foreach.sinks/http://b/lib.sink.s/pyroscope.write.w");
  ASSERT_TRUE(write.ok()) << write.status().message();
  EXPECT_EQ(write->endpoints[0].url, "http://b");
  const auto ebpf = configuration->Arguments<PyroscopeEbpf>("pyroscope.ebpf.e");
  ASSERT_TRUE(ebpf.ok()) << ebpf.status().message();
  EXPECT_THAT(ebpf->forward_to, ElementsAre("lib.sink.main/pyroscope.write.w"));
}

// Arguments of the larger components arrive typed, blocks over the defaults of their type.
TEST_F(ConfigurationTest, ReadsScrapeProfileTypes) {
  const auto read = Configuration::Load("services/common/config/testdata/scrape_targets.alloy",
                                        MachineEnvironment());
  ASSERT_TRUE(read.ok()) << read.status().message();
  const auto scrape = (*read)->Arguments<PyroscopeScrape>("pyroscope.scrape.chosen");
  ASSERT_TRUE(scrape.ok()) << scrape.status().message();
  const auto types = scrape->profiling_config.AllTypes();
  EXPECT_EQ(types.size(), 10U);
  EXPECT_TRUE(types.at("fgprof").enabled);
  EXPECT_EQ(types.at("fgprof").path, "/debug/fgprof");
  EXPECT_FALSE(types.at("block").enabled);
  EXPECT_TRUE(types.at("queue").enabled);
  EXPECT_TRUE(scrape->clustering);
}

// What settings say together is checked, with the peers' messages.
TEST_F(ConfigurationTest, ValidatesValues) {
  const std::string scrape = "pyroscope.scrape \"a\" {\n targets = []\n forward_to = []\n";
  const std::string write = "pyroscope.write \"a\" {\n endpoint {\n url = \"u\"\n";
  const std::string rule = "discovery.relabel \"a\" {\n targets = []\n rule {\n";
  const std::string kubernetes = "discovery.kubernetes \"a\" {\n role = \"pod\"\n ";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {scrape + " scrape_interval = \"500ms\"\n}",
       "scrape_interval must be at least 2 seconds when using delta profiling"},
      {scrape + " scrape_interval = \"10s\"\n delta_profiling_duration = \"1s\"\n}",
       "delta_profiling_duration must be larger than 1 second when using delta profiling"},
      {scrape + " scrape_interval = \"10s\"\n delta_profiling_duration = \"12s\"\n}",
       "delta_profiling_duration must be at least 1 second smaller than scrape_interval"},
      {scrape + " bearer_token = \"a\"\n bearer_token_file = \"b\"\n}",
       "at most one of basic_auth, authorization, oauth2, bearer_token & bearer_token_file must be "
       "configured"},
      {scrape + " profiling_config {\n profile.custom {\n enabled = true\n path = \"/\" } } }",
       "block \"profile.custom\" requires non-empty label"},
      {write + " tls_config {\n min_version = \"SSL3\" } } }", "unknown TLS version: SSL3"},
      {write + " http_headers = {\"host\" = [\"x\"]} } }",
       "setting header \"host\" is not allowed"},
      {write + " protocol = \"smoke\" } }", "invalid protocol \"smoke\", expected one of"},
      {rule + " action = \"Keep\" } }", "test:4:11: unrecognized action type \"Keep\""},
      {rule + " action = \"hashmod\" } }",
       "relabel configuration for hashmod requires non-zero modulus"},
      {"discovery.process \"a\" { refresh_interval = \"1d\" }", "time: invalid duration \"1d\""},
      {"discovery.kubernetes \"a\" { role = \"pods\" }", "invalid role \"pods\""},
      {kubernetes + "selectors { role = \"pod\" }\n selectors { role = \"pod\" } }",
       "test:1:1: duplicated selector role: pod"},
      {kubernetes + "selectors { role = \"service\" } }",
       "pod role supports only pod, node selectors"},
      {kubernetes + "selectors { role = \"Pod\" } }", "invalid role \"Pod\""},
      {kubernetes + "api_server = \"https://k\"\n kubeconfig_file = \"f\" }",
       "cannot use 'kubeconfig_file' and 'api_server' simultaneously"},
      {kubernetes + "bearer_token = \"t\" }",
       "to use custom HTTP client configuration please provide the 'api_server' URL explicitly"},
      {kubernetes + "kubeconfig_file = \"f\"\n tls_config { insecure_skip_verify = true } }",
       "cannot use a custom HTTP client configuration together with 'kubeconfig_file'"},
      {kubernetes + "kubeconfig_file = \"f\"\n namespaces { own_namespace = true } }",
       "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously"},
      {kubernetes + "api_server = \"k:6443\" }", "'api_server' must begin with http://"},
      {"discovery.http \"a\" { url = \"ftp://k\" }", "test:1:1: 'url' must begin with http://"},
      {"discovery.kubelet \"a\" { url = \"k:10250\" }", "'url' must begin with http://"},
      {"discovery.docker \"a\" { host = \"/var/run/docker.sock\" }",
       "test:1:1: 'host' must begin with unix://, tcp://, http:// or https://"},
      {"discovery.file \"a\" { files = [\"/t/*.json\", \"/t/*.txt\"] }",
       "path name \"/t/*.txt\" is not valid for file discovery"},
      {"remote.http \"a\" {\n url = \"u\"\n poll_timeout = \"2m\" }",
       "poll_timeout must be less than poll_frequency"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_THAT(ErrorsOf(text, {.check_values = true}), HasSubstr(expected)) << text;
  }
  EXPECT_EQ(ErrorsOf(scrape + " scrape_interval = \"500ms\"\n profiling_config {\n "
                              "profile.process_cpu { enabled = false } } }",
                     {.check_values = true}),
            "");
}

// Modules that use themselves are refused instead of expanded for ever.
TEST_F(ConfigurationTest, RefusesEndlessModules) {
  EXPECT_THAT(ErrorsOf("declare \"a\" {\n  a \"again\" { }\n}\na \"first\" { }"),
              HasSubstr("modules deeper than"));
}

}  // namespace
}  // namespace stoker::config
