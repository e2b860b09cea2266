#include "services/common/runtime/service.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <signal.h>

namespace stoker::runtime {
namespace {

// A process takes its configuration over at the start and at SIGHUP, serves until it is told to
// stop, and ends with 0.
TEST(ServiceMainTest, Life) {
  const std::string folder = "/tmp/stoker_service_" + std::to_string(getpid());
  const std::string run_dir = "--run-dir=" + folder + "/run";
  const std::string data_dir = "--data-dir=" + folder + "/data";
  std::string program = "stoker-probe";
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/a.alloy") << "discovery.process \"all\" { }\n";
  std::string run = run_dir;
  std::string data = data_dir;
  std::string config = "--config=" + folder + "/a.alloy";
  char* argv[] = {program.data(), run.data(), data.data(), config.data(), nullptr};
  std::atomic<int> loads = 0;
  const int status = ServiceMain(
      4, argv, {.process = "probe", .summary = "A probe."}, [&](Service& service) -> absl::Status {
        const absl::Status configured =
            service.Configure([&](const ConfigurationPtr& configuration) {
              EXPECT_EQ(configuration->ids().size(), 1U);
              if (++loads == 2) service.RequestStop();
              return absl::OkStatus();
            });
        if (!configured.ok()) return configured;
        if (absl::Status served = service.Serve({}); !served.ok()) return served;
        EXPECT_TRUE(std::filesystem::is_socket(folder + "/run/probe.http.sock"));
        EXPECT_TRUE(std::filesystem::is_directory(folder + "/data/probe"));
        kill(getpid(), SIGHUP);
        service.WaitForStop();
        EXPECT_TRUE(service.stopping());
        service.StopGrpc(absl::ZeroDuration());
        return absl::OkStatus();
      });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(loads, 2);
  EXPECT_FALSE(std::filesystem::exists(folder + "/run/probe.http.sock"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace stoker::runtime
