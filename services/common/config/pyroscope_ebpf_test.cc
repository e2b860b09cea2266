// Proves that the arguments of pyroscope.ebpf are those of the documents that users have: names,
// types, defaults, which are required; that each takes what it should and refuses what it should
// not, with the place.
#include "services/common/config/components/pyroscope_ebpf.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/base/status.h"
#include "services/common/config/components/registry.h"
#include "services/common/config/configuration.h"
#include "services/common/config/fake_environment.h"

namespace stoker::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// A row of a table, with a value that is taken and one that is refused.
struct Row {
  const char* name;
  const char* type;
  const char* default_text;
  const char* good;
  const char* bad;
};

// The tables of Grafana Agent's and of Pyroscope's documentation.
constexpr Row kSeeds[] = {
    {"collect_interval", "duration", "\"15s\"", "\"1m30s\"", "\"soon\""},
    {"sample_rate", "number", "97", "19", "\"often\""},
    {"pid_cache_size", "number", "32", "64", "true"},
    {"build_id_cache_size", "number", "64", "128", "[]"},
    {"same_file_cache_size", "number", "8", "16", "\"x\""},
    {"container_id_cache_size", "number", "1024", "2048", "{}"},
    {"collect_user_profile", "bool", "true", "false", "\"maybe\""},
    {"collect_kernel_profile", "bool", "true", "false", "1"},
    {"demangle", "string", "\"none\"", "\"templates\"", "\"some\""},
    {"python_enabled", "bool", "true", "false", "[]"},
    {"symbols_map_size", "number", "16384", "1024", "\"x\""},
    {"pid_map_size", "number", "2048", "4096", "false"},
};

// What Alloy v1.18 has besides.
constexpr Row kAlloy[] = {
    {"perl_enabled", "bool", "true", "false", "[]"},
    {"php_enabled", "bool", "true", "false", "[]"},
    {"hotspot_enabled", "bool", "true", "false", "[]"},
    {"ruby_enabled", "bool", "true", "false", "[]"},
    {"v8_enabled", "bool", "true", "false", "[]"},
    {"dotnet_enabled", "bool", "true", "false", "[]"},
    {"go_enabled", "bool", "true", "false", "[]"},
    {"off_cpu_threshold", "number", "0", "0.5", "1.5"},
    {"bpf_fs_root", "string", "\"/sys/fs/bpf/\"", "\"/bpf\"", "[]"},
    {"obi_process_context_enabled", "bool", "true", "false", "{}"},
    {"load_probe", "bool", "false", "true", "\"x\""},
    {"probe_links", "list(string)", "[]", "[\"kprobe:vfs_read\"]", "\"kprobe:vfs_read\""},
    {"u_probe_links", "list(string)", "[]", "[\"/bin/sh:main\"]", "[[]]"},
    {"verbose_mode", "bool", "false", "true", "\"x\""},
    {"lazy_mode", "bool", "false", "true", "\"x\""},
    {"no_kernel_version_check", "bool", "false", "true", "\"x\""},
    {"comm", "string", "\"none\"", "\"both\"", "\"all\""},
    {"pid_label", "bool", "false", "true", "\"x\""},
    {"kernel_frames", "bool", "true", "false", "\"x\""},
    {"targets_only", "bool", "true", "false", "\"x\""},
    {"symb_cache_path", "string", "\"/tmp/symb-cache\"", "\"/cache\"", "[]"},
    {"symb_cache_size", "number", "2048", "16", "\"x\""},
    {"reporter_unsymbolized_stubs", "bool", "false", "true", "\"x\""},
};

constexpr Row kDebugInfo[] = {
    {"on_target_symbolization", "bool", "true", "false", "\"x\""},
    {"upload", "bool", "false", "true", "\"x\""},
    {"cache_size", "number", "262144", "1", "\"x\""},
    {"strip_text_section", "bool", "false", "true", "\"x\""},
    {"queue_size", "number", "256", "1", "\"x\""},
    {"worker_num", "number", "16", "1", "\"x\""},
};

std::vector<Row> AllRows() {
  std::vector<Row> rows(std::begin(kSeeds), std::end(kSeeds));
  rows.insert(rows.end(), std::begin(kAlloy), std::end(kAlloy));
  return rows;
}

class PyroscopeEbpfTest : public ::testing::Test {
 protected:
  static std::string Text(const std::string& arguments) {
    return "pyroscope.write \"w\" { }\npyroscope.ebpf \"e\" {\n"
           "\ttargets    = []\n\tforward_to = [pyroscope.write.w.receiver]\n" +
           arguments + "}\n";
  }

  absl::StatusOr<PyroscopeEbpf> Read(const std::string& arguments) {
    const auto parsed = Configuration::Parse("test", Text(arguments), environment_, {});
    if (!parsed.ok()) return parsed.status();
    warnings_ = (*parsed)->warnings();
    return (*parsed)->Arguments<PyroscopeEbpf>("pyroscope.ebpf.e");
  }

  std::string ErrorsOf(const std::string& arguments) {
    const auto read = Read(arguments);
    return read.ok() ? "" : std::string(Message(read.status()));
  }

  FakeEnvironment environment_;
  std::vector<std::string> warnings_;
};

void ExpectRow(const Schema& schema, const Row& row) {
  SCOPED_TRACE(row.name);
  const AttributeSchema* attribute = schema.FindAttribute(row.name);
  ASSERT_NE(attribute, nullptr);
  EXPECT_EQ(attribute->type, row.type);
  EXPECT_EQ(attribute->default_text, row.default_text);
  EXPECT_FALSE(attribute->required);
}

// Name, type, default and whether it is required.
TEST_F(PyroscopeEbpfTest, Tables) {
  const Schema& schema = *FindComponent("pyroscope.ebpf")->arguments;
  for (const Row& row : AllRows()) ExpectRow(schema, row);
  for (const Row& row : kDebugInfo) ExpectRow(*schema.FindBlock("debug_info")->schema, row);
  for (const auto& [name, type] : {std::pair("targets", "list(map(string))"),
                                   std::pair("forward_to", "list(ProfilesReceiver)")}) {
    const AttributeSchema* attribute = schema.FindAttribute(name);
    ASSERT_NE(attribute, nullptr) << name;
    EXPECT_EQ(attribute->type, type);
    EXPECT_TRUE(attribute->required) << name;
  }
  // And nothing else, but two of the first releases.
  std::size_t effective = 0;
  for (const AttributeSchema& attribute : schema.attributes())
    effective += attribute.ignored ? 0 : 1;
  EXPECT_EQ(effective, 2 + AllRows().size());
}

// Each takes its value; the default written out is the default.
TEST_F(PyroscopeEbpfTest, TakesValues) {
  const auto defaults = Read("");
  ASSERT_TRUE(defaults.ok()) << defaults.status().message();
  for (const Row& row : AllRows()) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(ErrorsOf(fmt::format("\t{} = {}\n", row.name, row.good)), "");
    EXPECT_THAT(warnings_, IsEmpty());
    auto same = Read(fmt::format("\t{} = {}\n", row.name, row.default_text));
    ASSERT_TRUE(same.ok()) << same.status().message();
    same->unbuilt.clear();
    EXPECT_EQ(*same, *defaults);
  }
  for (const Row& row : kDebugInfo) {
    EXPECT_EQ(ErrorsOf(fmt::format("\tdebug_info {{\n\t\t{} = {}\n\t}}\n", row.name, row.good)),
              "");
  }
}

// What has an effect arrives.
TEST_F(PyroscopeEbpfTest, ValuesArrive) {
  const auto read = Read(
      "\tcollect_interval = \"2s\"\n\tsample_rate = 199\n\tcollect_user_profile = false\n"
      "\tcollect_kernel_profile = false\n\tkernel_frames = false\n\tdemangle = \"full\"\n"
      "\tcomm = \"stackframe\"\n\tpid_label = true\n\ttargets_only = false\n"
      "\tpython_enabled = false\n\tlazy_mode = true\n\toff_cpu_threshold = 0.25\n"
      "\tbuild_id_cache_size = 7\n\tsame_file_cache_size = 3\n");
  ASSERT_TRUE(read.ok()) << read.status().message();
  PyroscopeEbpf expected = *Read("");
  expected.collect_interval = absl::Seconds(2);
  expected.sample_rate = 199;
  expected.collect_user_profile = expected.collect_kernel_profile = false;
  expected.kernel_frames = false;
  expected.demangle = PyroscopeEbpf::Demangle::kFull;
  expected.comm = PyroscopeEbpf::Comm::kStackframe;
  expected.pid_label = true;
  expected.targets_only = false;
  expected.python_enabled = false;
  expected.lazy_mode = true;
  expected.off_cpu_threshold = 0.25;
  expected.build_id_cache_size = 7;
  expected.same_file_cache_size = 3;
  EXPECT_EQ(*read, expected);
}

// A wrong type or value is refused, and where it stands is said.
TEST_F(PyroscopeEbpfTest, RefusesWithPosition) {
  for (const Row& row : AllRows()) {
    const std::string errors = ErrorsOf(fmt::format("\t{} = {}\n", row.name, row.bad));
    // Line 5, or, of what only Validate sees, the block's.
    EXPECT_THAT(errors, ::testing::AnyOf(HasSubstr("test:5:"), HasSubstr("test:2:"))) << row.name;
  }
  for (const Row& row : kDebugInfo) {
    const std::string errors =
        ErrorsOf(fmt::format("\tdebug_info {{\n\t\t{} = {}\n\t}}\n", row.name, row.bad));
    EXPECT_THAT(errors, HasSubstr("test:6:")) << row.name;
  }
  EXPECT_THAT(ErrorsOf("\tcomm = \"all\"\n"),
              HasSubstr("test:5:9: invalid comm mode \"all\", expected one of none, label, "
                        "stackframe, both"));
  EXPECT_THAT(ErrorsOf("\tsample_rate = 0\n"), HasSubstr("sample_rate must be in [1, 10000]"));
  EXPECT_THAT(ErrorsOf("\tsample_rate = 10001\n"), HasSubstr("sample_rate must be in [1, 10000]"));
  EXPECT_THAT(ErrorsOf("\tcollect_interval = \"0s\"\n"),
              HasSubstr("collect_interval must be greater than 0"));
  EXPECT_THAT(ErrorsOf("\tdefault_target = {}\n"),
              HasSubstr("unrecognized attribute name \"default_target\""));
  const auto bare = Configuration::Parse("test", "pyroscope.ebpf \"e\" { }\n", environment_, {});
  ASSERT_FALSE(bare.ok());
  EXPECT_THAT(std::string(Message(bare.status())), HasSubstr("missing required attribute"));
}

TEST_F(PyroscopeEbpfTest, CommModes) {
  using Comm = PyroscopeEbpf::Comm;
  for (const auto& [text, mode] :
       {std::pair("none", Comm::kNone), std::pair("", Comm::kNone),
        std::pair("label", Comm::kLabel), std::pair("stackframe", Comm::kStackframe),
        std::pair("both", Comm::kBoth)}) {
    const auto read = Read(fmt::format("\tcomm = \"{}\"\n", text));
    ASSERT_TRUE(read.ok()) << read.status().message();
    EXPECT_EQ(read->comm, mode) << text;
  }
}

// Only what asks for something that is not built is named; older arguments warn once, here.
TEST_F(PyroscopeEbpfTest, NamesWhatIsNotBuilt) {
  const auto quiet = Read(
      "\tperl_enabled = false\n\tgo_enabled = true\n\tprobe_links = []\n\tload_probe = false\n"
      "\tsymb_cache_path = \"/x\"\n\tbpf_fs_root = \"/x\"\n\tdebug_info {\n\t\tupload = "
      "false\n\t}\n");
  ASSERT_TRUE(quiet.ok()) << quiet.status().message();
  EXPECT_THAT(quiet->unbuilt, IsEmpty());
  const auto asks = Read(
      "\truby_enabled = true\n\tprobe_links = [\"kprobe:vfs_read\"]\n"
      "\tdebug_info {\n\t\tupload = true\n\t}\n");
  ASSERT_TRUE(asks.ok()) << asks.status().message();
  EXPECT_THAT(asks->unbuilt, ElementsAre("ruby_enabled", "probe_links", "debug_info.upload"));
  ASSERT_TRUE(Read("\tcache_rounds = 3\n").ok());
  ASSERT_EQ(warnings_.size(), 1u);
  EXPECT_THAT(warnings_[0], HasSubstr("attribute \"cache_rounds\" has no effect"));
}

}  // namespace
}  // namespace stoker::config
