#include "services/common/procfs/container_id.h"

#include <string>

#include <gtest/gtest.h>

namespace stoker::procfs {
namespace {

const std::string kId = "9a7c72f122922fe3445ba85ce72c507c8976c0f3d919403fda7c22dfe516f66f";
const std::string kOther(64, 'b');

// Version 2: one line; Docker, containerd and CRI-O under systemd and without it, also as seen from
// another cgroup namespace.
TEST(ContainerIdTest, VersionTwo) {
  EXPECT_EQ(FindContainerId("0::/system.slice/docker-" + kId + ".scope\n"), kId);
  EXPECT_EQ(FindContainerId("0::/../../pode0f7/docker-" + kId + ".scope"), kId);
  EXPECT_EQ(FindContainerId("0::/kubepods.slice/kubepods-besteffort.slice/kubepods-pod47e3.slice/"
                            "cri-containerd-" +
                            kId + ".scope\n"),
            kId);
  EXPECT_EQ(FindContainerId("0::/kubepods.slice/crio-" + kId + ".scope/container\n"), kId);
  EXPECT_EQ(FindContainerId("0::/kubepods/burstable/pod47e3/" + kId), kId);
  EXPECT_EQ(FindContainerId("0::/system.slice/containerd.service/"
                            "kubepods-pod47e3.slice:cri-containerd:" +
                            kId + "\n"),
            kId);
}

// Version 1: the first line with a container counts.
TEST(ContainerIdTest, VersionOne) {
  EXPECT_EQ(FindContainerId("12:rdma:/\n11:devices:/docker/" + kId + "\n10:pids:/docker/" + kOther),
            kId);
  EXPECT_EQ(FindContainerId("1:name=systemd:/kubepods/podx/" + kId + " \n"), kId);
}

// A container in a container: the inner one. A service within a container is in the container.
TEST(ContainerIdTest, Nested) {
  EXPECT_EQ(FindContainerId("0::/docker/" + kOther + "/kubepods/podx/" + kId), kId);
  EXPECT_EQ(FindContainerId("0::/docker/" + kId + "/system.slice/cron.service"), kId);
}

// Sessions, services, short and upper-case digits are no containers.
TEST(ContainerIdTest, None) {
  EXPECT_EQ(FindContainerId(""), "");
  EXPECT_EQ(FindContainerId("0::/\n"), "");
  EXPECT_EQ(FindContainerId("0::/user.slice/user-1000.slice/session-3.scope\n"), "");
  EXPECT_EQ(FindContainerId("0::/docker/" + kId.substr(1)), "");
  EXPECT_EQ(FindContainerId("0::/docker/x" + kId), "");
  EXPECT_EQ(FindContainerId("0::/docker/" + std::string(64, 'A')), "");
  EXPECT_EQ(FindContainerId(kId), "");
}

// The three runtimes whose ids a process' cgroup can show.
TEST(ContainerIdTest, CutsTheRuntime) {
  EXPECT_EQ(CutContainerRuntime("containerd://9a7c"), "9a7c");
  EXPECT_EQ(CutContainerRuntime("docker://9a7c"), "9a7c");
  EXPECT_EQ(CutContainerRuntime("cri-o://9a7c"), "9a7c");
  EXPECT_EQ(CutContainerRuntime("rkt://9a7c"), "");
  EXPECT_EQ(CutContainerRuntime("9a7c"), "");
}

}  // namespace
}  // namespace stoker::procfs
