#include "services/common/runtime/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::runtime {
namespace {

using ::testing::HasSubstr;

const ServiceInfo kInfo = {.process = "forwarder",
                           .summary = "Takes profiles.",
                           .http_listen = "127.0.0.1:12346",
                           .flags = {{"spool-bytes", "1GiB", "Limit of the spool"}}};

CommandLine Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "stoker-forwarder");
  return ParseCommandLine(static_cast<int>(arguments.size()), arguments.data(), kInfo);
}

// Every process has its own folder below the data folder; flags of the service come by name.
TEST(CommandLineTest, Options) {
  const CommandLine line = Parse({"--config=a.alloy", "--data-dir=/d", "--run-dir=/r",
                                  "--log.level=warn", "--log.format=json", "--spool-bytes", "7"});
  ASSERT_TRUE(line.run) << line.text;
  EXPECT_EQ(line.options.data_dir, "/d/forwarder");
  EXPECT_EQ(line.options.run_dir, "/r");
  EXPECT_EQ(line.options.http_listen, "127.0.0.1:12346");
  EXPECT_EQ(line.options.log_level, log::Level::kWarn);
  EXPECT_EQ(line.options.log_format, log::Format::kJson);
  EXPECT_EQ(line.options.flags.at("spool-bytes"), "7");
}

// Alloy's names are taken for ours.
TEST(CommandLineTest, AlloyNames) {
  const CommandLine line =
      Parse({"--config=a", "--storage.path=/s", "--server.http.listen-addr=127.0.0.1:1",
             "--stability.level=experimental"});
  ASSERT_TRUE(line.run) << line.text;
  EXPECT_EQ(line.options.data_dir, "/s/forwarder");
  EXPECT_EQ(line.options.http_listen, "127.0.0.1:1");
}

// "none" is no address.
TEST(CommandLineTest, NoAddress) {
  const CommandLine line = Parse({"--config=a", "--http.listen=none", "--data-dir=/d"});
  ASSERT_TRUE(line.run) << line.text;
  EXPECT_EQ(line.options.http_listen, "");
  EXPECT_EQ(line.options.data_dir, "/d/forwarder");
}

// A wrong command line exits with 2 and names the flag; help and version with 0.
TEST(CommandLineTest, ExitStatus) {
  EXPECT_EQ(Parse({}).status, 2);
  EXPECT_THAT(Parse({}).text, HasSubstr("--config"));
  EXPECT_EQ(Parse({"--config=a", "--nonsense"}).status, 2);
  EXPECT_THAT(Parse({"--config=a", "--nonsense"}).text, HasSubstr("--nonsense"));
  EXPECT_EQ(Parse({"--help"}).status, 0);
  EXPECT_THAT(Parse({"--help"}).text, HasSubstr("Takes profiles."));
  EXPECT_THAT(Parse({"--version"}).text, HasSubstr("stoker "));
}

}  // namespace
}  // namespace stoker::runtime
