#include <filesystem>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "services/discovery/sources/recording_sink.h"
#include "services/discovery/sources/system_sources.h"

namespace stoker::discovery {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class FileSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/file_source_test.XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Takes the place of the last in one step, as careful writers do it.
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/next") << text;
    std::filesystem::rename(folder_ + "/next", folder_ + "/" + name);
  }
  std::unique_ptr<Source> Start(const std::vector<std::string>& names,
                                absl::Duration refresh_interval = absl::Hours(1)) {
    config::DiscoveryFile arguments{.files = {}, .refresh_interval = refresh_interval};
    for (const std::string& name : names) arguments.files.push_back(folder_ + "/" + name);
    return sources_.Start("discovery.file.x", arguments, "", sink_);
  }
  static std::vector<std::string> Addresses(const RecordingSink::Said& said) {
    std::vector<std::string> addresses;
    for (const auto& target : said.targets) {
      addresses.emplace_back(target->labels.Get("__address__"));
    }
    return addresses;
  }
  // What was said once there were so many targets.
  RecordingSink::Said Await(std::size_t targets) {
    return sink_.Await(
        [&](const auto& said) { return said.found > 0 && said.targets.size() == targets; });
  }

  std::string folder_;
  SystemClock clock_;
  metrics::Registry metrics_;
  SystemSources sources_{clock_, metrics_};
  RecordingSink sink_;
};

// JSON and YAML, by name and by pattern; a file that two patterns stand for counts once.
TEST_F(FileSourceTest, Finds) {
  Write("a.json", R"([{"targets": ["a:1", "b:2"], "labels": {"team": "x"}}])");
  Write("b.yml", "- targets: ['c:3']\n  labels: {port: 80, on: true, none: ~}\n- targets: []\n");
  Write("c.yaml", "");
  Write("other.txt", "no list");
  const auto source = Start({"*.json", "a.json", "*.y*ml", "missing/*.json"});
  const auto said = Await(3);
  EXPECT_EQ(said.status, absl::OkStatus());
  EXPECT_EQ(said.targets[0]->labels,
            (model::Labels{
                {"__address__", "a:1"}, {"__meta_filepath", folder_ + "/a.json"}, {"team", "x"}}));
  EXPECT_EQ(said.targets[2]->labels, (model::Labels{{"__address__", "c:3"},
                                                    {"__meta_filepath", folder_ + "/b.yml"},
                                                    {"on", "true"},
                                                    {"port", "80"}}));
}

// The metrics say when each file was written and how long refreshes take; a file that goes leaves
// none.
TEST_F(FileSourceTest, Metrics) {
  Write("a.json", R"([{"targets": ["a:1"]}])");
  Write("b.json", R"([{"targets": ["b:1"]}])");
  const timespec times[2] = {{.tv_sec = 5, .tv_nsec = 0}, {.tv_sec = 7, .tv_nsec = 500'000'000}};
  ASSERT_EQ(utimensat(AT_FDCWD, (folder_ + "/a.json").c_str(), times, 0), 0);
  auto source = Start({"*.json"});
  Await(2);
  EXPECT_THAT(metrics_.Text(), HasSubstr(fmt::format("prometheus_sd_file_mtime_seconds{{config="
                                                     "\"discovery.file.x\",filename=\"{}\"}} 7.5",
                                                     folder_ + "/a.json")));
  EXPECT_THAT(metrics_.Text(), HasSubstr("prometheus_sd_refresh_duration_seconds_count{config="
                                         "\"discovery.file.x\",mechanism=\"file\"}"));
  EXPECT_THAT(metrics_.Text(), HasSubstr(folder_ + "/b.json"));
  std::filesystem::remove(folder_ + "/b.json");
  Await(1);
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr(folder_ + "/b.json")));
  source.reset();
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr(folder_ + "/a.json")));
}

// A file that is renamed into place, written in place, new, swapped by a link above it or gone is
// seen long before the refresh interval; targets that stay keep their pointers.
TEST_F(FileSourceTest, Follows) {
  Write("a.json", R"([{"targets": ["a:1"]}])");
  const auto source = Start({"*.json"});
  const auto first = Await(1);
  Write("a.json", R"([{"targets": ["a:1", "a:2"]}])");
  EXPECT_EQ(Await(2).targets[0], first.targets[0]);
  std::ofstream(folder_ + "/b.json") << R"([{"targets": ["b:1", "b:2"]}])";
  Await(4);
  std::filesystem::create_directories(folder_ + "/v1");
  Write("v1/c.json", R"([{"targets": ["c:1"]}])");
  std::filesystem::create_directory_symlink("v1", folder_ + "/..data");
  std::filesystem::create_symlink("..data/c.json", folder_ + "/c.new");
  std::filesystem::rename(folder_ + "/c.new", folder_ + "/c.json");
  Await(5);
  std::filesystem::create_directories(folder_ + "/v2");
  Write("v2/c.json", R"([{"targets": ["c:1", "c:2", "c:3"]}])");
  std::filesystem::create_directory_symlink("v2", folder_ + "/..new");
  std::filesystem::rename(folder_ + "/..new", folder_ + "/..data");
  Await(7);
  std::filesystem::remove(folder_ + "/b.json");
  EXPECT_THAT(Addresses(Await(5)), UnorderedElementsAre("a:1", "a:2", "c:1", "c:2", "c:3"));
}

// A bad file keeps what it gave last and is named with the place; the others go on.
TEST_F(FileSourceTest, KeepsWhatWasGood) {
  Write("a.json", R"([{"targets": ["a:1"]}])");
  Write("b.yml", "- targets: ['b:1']\n");
  const auto source = Start({"*.json", "*.yml"});
  Await(2);
  const auto fails = [&](const std::string& name, const std::string& text,
                         const std::string& message) {
    Write(name, text);
    const auto said = sink_.Await([&](const auto& now) {
      return std::string(now.status.message()).find(message) != std::string::npos;
    });
    EXPECT_THAT(std::string(said.status.message()),
                HasSubstr(folder_ + "/" + name + ": " + message));
    EXPECT_THAT(Addresses(said), UnorderedElementsAre("a:1", "b:1"));
  };
  fails("a.json", "[\n{]", "not JSON: line 2, column 2: ");
  fails("a.json", "[{}, 7]", "target group 1: not an object");
  fails("b.yml", "- targets: [\n", "line 2, column 1: ");
  fails("b.yml", "- targets: []\n- host: x\n", "line 2: unknown key `host`");
  fails("b.yml", "- targets: []\n  labels: [x]\n", "line 2: `labels` is not a map");
  fails("b.yml", "- targets:\n    a: b\n", "line 2: `targets` is not a list");
  fails("b.yml", "- targets: [[x]]\n", "line 1: a target is not a string");
  fails("b.yml", "- labels:\n    x: [1]\n", "line 2: the label `x` is not a string");
  fails("b.yml", "a: b", "line 1: not a list of target groups");
  // Both are named.
  EXPECT_THAT(std::string(sink_.Await([](const auto&) { return true; }).status.message()),
              HasSubstr("a.json: target group 1: not an object; "));
  Write("b.yml", "- targets: ['b:2', 'b:3']\n");
  EXPECT_FALSE(Await(3).status.ok());
  Write("a.json", "[]");
  const auto said = sink_.Await([](const auto& now) { return now.status.ok(); });
  EXPECT_THAT(Addresses(said), UnorderedElementsAre("b:2", "b:3"));
  EXPECT_NE(metrics_.Text().find("prometheus_sd_file_read_errors_total"), std::string::npos);
}

// A few bytes that stand for very many targets are refused; where no file was ever good there is no
// list, not an empty one.
TEST_F(FileSourceTest, RefusesMultiplyingAliases) {
  std::string text = "- &g\n  targets: [";
  for (int i = 0; i < 2000; ++i) text += "x,";
  text += "x]\n";
  for (int i = 0; i < 2000; ++i) text += "- *g\n";
  Write("a.yml", text);
  const auto source = Start({"a.yml"});
  const auto said = sink_.Await([](const auto& now) { return now.failed > 0; });
  EXPECT_THAT(std::string(said.status.message()), HasSubstr("the targets take more than 128 MiB"));
  EXPECT_EQ(said.found, 0);
}

}  // namespace
}  // namespace stoker::discovery
