#include "services/common/runtime/service.h"

#include <filesystem>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <signal.h>

namespace stoker::runtime {
namespace {

// A process serves until SIGTERM, calls its reload function for SIGHUP, and ends with 0.
TEST(ServiceMainTest, Life) {
  const std::string folder = "/tmp/stoker_service_" + std::to_string(getpid());
  const std::string run_dir = "--run-dir=" + folder + "/run";
  const std::string data_dir = "--data-dir=" + folder + "/data";
  std::string program = "stoker-probe";
  std::string run = run_dir;
  std::string data = data_dir;
  char* argv[] = {program.data(), run.data(), data.data(), nullptr};
  std::atomic<int> reloads = 0;
  const int status =
      ServiceMain(3, argv, {.process = "probe", .summary = "A probe.", .config_required = false},
                  [&](Service& service) -> absl::Status {
                    service.OnReload([&] {
                      ++reloads;
                      service.RequestStop();
                      return absl::OkStatus();
                    });
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
  EXPECT_EQ(reloads, 1);
  EXPECT_FALSE(std::filesystem::exists(folder + "/run/probe.http.sock"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace stoker::runtime
