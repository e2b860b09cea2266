#include "services/cli/configuration_commands.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::cli {
namespace {

constexpr char kGood[] =
    "pyroscope.write \"a\" {\n\tendpoint {\n\t\turl = \"http://localhost\"\n\t}\n}\n";

class ConfigurationCommandsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/commandsXXXXXX";
    folder_ = mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& text) {
    const std::string path = folder_ + "/a.alloy";
    std::ofstream(path) << text;
    return path;
  }
  static std::string Read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  std::string folder_;
};

// A good file is 0; a wrong one 1, with its place.
TEST_F(ConfigurationCommandsTest, Validate) {
  EXPECT_EQ(Validate({.path = Write(kGood)}), 0);
  ::testing::internal::CaptureStderr();
  const std::string path = Write("pyroscope.write \"a\" {\n\tnonsense = 1\n}\n");
  EXPECT_EQ(Validate({.path = path}), 1);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, ::testing::HasSubstr(path + ":2:2: unrecognized attribute name \"nonsense\""));
  EXPECT_THAT(said, ::testing::HasSubstr("validation failed"));
  EXPECT_EQ(Validate({.path = folder_ + "/none.alloy"}), 1);
}

// -t tells an unformatted file, -w mends it and keeps its mode, both leave a formatted one alone.
TEST_F(ConfigurationCommandsTest, Format) {
  const std::string path =
      Write("pyroscope.write \"a\" {\nendpoint {\nurl=\"http://localhost\"\n}\n}");
  std::filesystem::permissions(
      path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(Format({.path = path, .test = true}), 1);
  EXPECT_EQ(Format({.path = path, .write = true}), 0);
  EXPECT_EQ(Read(path), kGood);
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(Format({.path = path, .test = true}), 0);
}

// What makes no sense together is refused; a broken file is left as it is.
TEST_F(ConfigurationCommandsTest, FormatErrors) {
  EXPECT_EQ(Format({.path = folder_}), 1);
  EXPECT_EQ(Format({.path = "-", .write = true}), 1);
  const std::string path = Write("a = ");
  EXPECT_EQ(Format({.path = path, .write = true}), 1);
  EXPECT_EQ(Read(path), "a = ");
  EXPECT_EQ(Format({.path = path, .write = true, .test = true}), 1);
}

}  // namespace
}  // namespace stoker::cli
