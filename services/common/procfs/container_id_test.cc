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

// Texts as they are found on machines, by who made them.
TEST(ContainerIdTest, RealTexts) {
  const std::pair<const char*, std::string> texts[] = {
      {"docker, version 1, cgroupfs", "12:freezer:/docker/" + kId + "\n11:cpu,cpuacct:/docker/" +
                                          kId + "\n1:name=systemd:/docker/" + kId +
                                          "\n0::/system.slice/containerd.service\n"},
      {"docker, version 1, systemd", "11:memory:/system.slice/docker-" + kId +
                                         ".scope\n1:name=systemd:/system.slice/docker-" + kId +
                                         ".scope\n0::/system.slice/docker-" + kId + ".scope\n"},
      {"docker, version 2, a cgroup parent", "0::/stoker-test/" + kId + "\n"},
      {"docker, rootless",
       "0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" + kId + ".scope\n"},
      {"docker in docker", "0::/docker/" + kOther + "/docker/" + kId + "\n"},
      {"docker, systemd within",
       "0::/system.slice/docker-" + kId + ".scope/system.slice/nginx.service\n"},
      {"containerd, ctr", "0::/default/" + kId + "\n"},
      {"nerdctl", "0::/system.slice/nerdctl-" + kId + ".scope\n"},
      {"kubernetes, docker, version 1",
       "11:cpuset:/kubepods/besteffort/pod0f2f1d8b-0b4f-4b1a-9a51-8ac5f3f2f7b3/" + kId + "\n"},
      {"kubernetes, docker, version 1, systemd",
       "11:cpuset:/kubepods.slice/kubepods-burstable.slice/"
       "kubepods-burstable-pod0f2f1d8b_0b4f_4b1a_9a51_8ac5f3f2f7b3.slice/docker-" +
           kId + ".scope\n"},
      {"kubernetes, guaranteed, containerd, version 2",
       "0::/kubepods.slice/kubepods-pod0f2f1d8b_0b4f.slice/cri-containerd-" + kId + ".scope\n"},
      {"kubernetes, containerd, cgroupfs, version 1",
       "5:devices:/system.slice/containerd.service/"
       "kubepods-besteffort-pod0f2f1d8b_0b4f.slice:cri-containerd:" +
           kId + "\n"},
      {"kubernetes, cri-o, version 2",
       "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod0f2f.slice/crio-" +
           kId + ".scope\n"},
      {"openshift, cri-o, systemd within",
       "0::/kubepods.slice/kubepods-pod0f2f.slice/crio-" + kId + ".scope/init.scope\n"},
      {"kind: a node that is a container",
       "0::/system.slice/docker-" + kOther +
           ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/"
           "kubelet-kubepods-besteffort-pod0f2f.slice/cri-containerd-" +
           kId + ".scope\n"},
      {"k3s, seen from the profiler's pod",
       "0::/../../kubepods-burstable-pod0f2f.slice/cri-containerd-" + kId + ".scope\n"},
      {"podman, root", "0::/machine.slice/libpod-" + kId + ".scope/container\n"},
      {"podman, rootless", "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" +
                               kId + ".scope/container\n"},
      {"podman, a pod",
       "0::/machine.slice/machine-libpod_pod_" + kOther + ".slice/libpod-" + kId + ".scope\n"},
      {"podman, cgroupfs", "0::/libpod_parent/libpod-" + kId + "\n"},
      {"amazon ecs on ec2", "9:perf_event:/ecs/0aa1b2c3d4e5f60718293a4b5c6d7e8f/" + kId + "\n"},
      {"garden", "4:pids:/garden/" + kId + "\n"},
  };
  for (const auto& [name, text] : texts) EXPECT_EQ(FindContainerId(text), kId) << name;
}

// What stands beside a container is not in it.
TEST(ContainerIdTest, BesideAContainer) {
  for (const std::string& text :
       {"0::/machine.slice/libpod-conmon-" + kId + ".scope\n",
        "0::/kubepods.slice/kubepods-pod0f2f.slice/crio-conmon-" + kId + ".scope\n",
        std::string("0::/system.slice/docker.service\n"),
        std::string("0::/system.slice/containerd.service\n"),
        std::string("0::/machine.slice/systemd-nspawn@debian.service/payload\n"),
        std::string("0::/kubepods.slice/kubepods-besteffort.slice\n"),
        "0::/machine.slice/machine-libpod_pod_" + kId + ".slice\n",
        std::string("0::/user.slice/user-1000.slice/user@1000.service/app.slice/"
                    "app-org.gnome.Terminal.slice/vte-spawn-2f0c.scope\n")}) {
    EXPECT_EQ(FindContainerId(text), "") << text;
  }
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
