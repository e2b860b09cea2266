// Proves that the runtimes of this machine's Pythons are found in their files, with offsets that
// are those of their version; and that other files have none.
#include "services/collector/ebpf/python/runtime.h"

#include <cstdlib>
#include <memory>
#include <string>

#include <absl/strings/strip.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/collector/ebpf/python/interpreters.h"
#include "services/common/base/unique_fd.h"

namespace stoker::ebpf {
namespace {

using RuntimeOr = absl::StatusOr<std::shared_ptr<const PythonRuntime>>;

RuntimeOr Find(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto source = elf::OpenFdSource(fd.get());
  if (!source.ok()) return source.status();
  return FindPythonRuntime(**source);
}

// The file that a Python has its runtime in.
std::string RuntimeFile(const Interpreter& python) {
  return std::string(absl::StripSuffix(
      RunShell(python.path + " -IS -c \"print(next(line.split()[-1] for line in "
                             "open('/proc/self/maps') if ' r-xp ' in line and 'python' in line "
                             "and ('libpython' in line or not any('libpython' in other for other "
                             "in open('/proc/self/maps')))))\""),
      "\n"));
}

TEST(PythonRuntimeTest, ThePythonsOfThisMachine) {
  for (const Interpreter& python : FindInterpreters()) {
    const std::string path = RuntimeFile(python);
    const RuntimeOr runtime = Find(path);
    ASSERT_TRUE(runtime.ok()) << path << ": " << runtime.status();
    ASSERT_NE(*runtime, nullptr) << path;
    const PythonRuntime& found = **runtime;
    EXPECT_EQ(found.code.version, python.version) << path;
    EXPECT_EQ(found.walk.layout.version, python.version) << path;
    EXPECT_NE(found.walk.runtime, 0u) << path;
    EXPECT_NE(found.walk.code_type, 0u) << path;
    EXPECT_GT(found.walk.loops[0].bytes, found.walk.is_called != 0 ? 0u : 20'000u) << path;
    EXPECT_EQ(found.code.first_line, found.walk.layout.code_first_line) << path;
    EXPECT_EQ(found.code.instructions, found.walk.layout.code_instructions) << path;
    // What is read of each contains what is looked at.
    const stoker_python_layout& layout = found.walk.layout;
    EXPECT_GE(layout.thread_bytes, layout.thread_id + 8) << path;
    EXPECT_GT(layout.frame_bytes, layout.frame_owner) << path;
    EXPECT_GE(layout.frame_bytes, layout.frame_instruction + 4) << path;
    EXPECT_GE(layout.code_bytes, layout.code_first_line + 4) << path;
    EXPECT_LT(layout.code_bytes, STOKER_PYTHON_READ_BYTES) << path;
  }
}

TEST(PythonRuntimeTest, OtherFiles) {
  const RuntimeOr shell = Find("/bin/sh");
  ASSERT_TRUE(shell.ok()) << shell.status();
  EXPECT_EQ(*shell, nullptr);
  EXPECT_FALSE(Find("/etc/passwd").ok());
}

}  // namespace
}  // namespace stoker::ebpf
