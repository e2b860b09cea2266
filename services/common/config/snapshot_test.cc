#include "services/common/config/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/config/configuration.h"
#include "services/common/config/fake_environment.h"

namespace stoker::config {
namespace {

FakeEnvironment Machine() {
  FakeEnvironment machine;
  machine.files["/etc/stoker/a.alloy"] =
      "import.file \"lib\" {\n\tfilename = file.path_join(module_path, \"lib/backend.txt\")\n}\n"
      "lib.backend \"x\" { }\n";
  machine.files["/etc/stoker/lib/backend.txt"] =
      "declare \"backend\" {\n\tpyroscope.write \"w\" {\n\t\tendpoint {\n\t\t\turl = \"http://a\"\n"
      "\t\t}\n\t}\n}\n";
  machine.files["/etc/stoker/b.alloy"] = "discovery.process \"all\" { }\n";
  return machine;
}

// A configuration that imports loads from its snapshot as it did from its files, which may be gone.
TEST(SnapshotTest, StandsAlone) {
  FakeEnvironment machine = Machine();
  const RecordingEnvironment recording(machine);
  const auto loaded = Configuration::Load("/etc/stoker/a.alloy", recording);
  ASSERT_TRUE(loaded.ok()) << loaded.status();

  const std::string text = SerializeSnapshot(recording.Take("/etc/stoker/a.alloy"));
  machine.files.clear();
  const auto snapshot = ParseSnapshot(text);
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_EQ(snapshot->files.size(), 2U);
  const SnapshotEnvironment alone(*snapshot, machine);
  const auto again = Configuration::Load(alone.path(), alone);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->hash(), (*loaded)->hash());
  EXPECT_EQ((*again)->ids(), (*loaded)->ids());
  EXPECT_FALSE(alone.ReadFile("/etc/passwd", 1000).ok());
}

// A file that changes between two reads is what it was at the first.
TEST(SnapshotTest, ReadsOnce) {
  FakeEnvironment machine = Machine();
  const RecordingEnvironment recording(machine);
  const auto first = recording.ReadFile("/etc/stoker/b.alloy", 1000);
  machine.files["/etc/stoker/b.alloy"] = "changed";
  EXPECT_EQ(*recording.ReadFile("/etc/stoker/b.alloy", 1000), *first);
}

// What is no snapshot is refused.
TEST(SnapshotTest, Refused) {
  for (const char* text : {"", "{}", "[1]", R"({"version": 2})", R"({"version": 1, "path": 3})",
                           R"({"version": 1, "path": "a", "files": [1], "folders": {}})"}) {
    EXPECT_EQ(ParseSnapshot(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace stoker::config
