// Colour follows --color, then NO_COLOR, then CLICOLOR_FORCE, then the terminal.
#include "services/cli/color.h"

#include <cstdlib>

#include <gtest/gtest.h>

namespace stoker::cli {
namespace {

TEST(ColorTest, Order) {
  // A file is no terminal.
  std::FILE* file = std::tmpfile();
  unsetenv("NO_COLOR");
  unsetenv("CLICOLOR_FORCE");
  EXPECT_FALSE(UseColor(ColorMode::kAuto, file));
  EXPECT_TRUE(UseColor(ColorMode::kAlways, file));
  setenv("CLICOLOR_FORCE", "1", 1);
  EXPECT_TRUE(UseColor(ColorMode::kAuto, file));
  EXPECT_FALSE(UseColor(ColorMode::kNever, file));
  setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(UseColor(ColorMode::kAuto, file));
  EXPECT_TRUE(UseColor(ColorMode::kAlways, file));
  std::fclose(file);
}

TEST(ColorTest, Flag) {
  for (const auto& [text, mode] : {std::pair("always", ColorMode::kAlways),
                                   {"never", ColorMode::kNever},
                                   {"auto", ColorMode::kAuto}}) {
    CLI::App app;
    ColorMode chosen = ColorMode::kAuto;
    AddColorOption(app, chosen);
    app.parse(std::string("--color ") + text);
    EXPECT_EQ(chosen, mode);
  }
}

}  // namespace
}  // namespace stoker::cli
