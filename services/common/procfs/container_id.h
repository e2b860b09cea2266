#pragma once

#include <string_view>

namespace stoker::procfs {

// The container a process runs in, from the text of its /proc/PID/cgroup, version 1 or 2: the 64
// hexadecimal digits that end a path component such as `docker-<id>.scope`,
// `cri-containerd-<id>.scope`, `crio-<id>.scope`, `pod…:cri-containerd:<id>` or `<id>`. Of the
// first line that has one the innermost counts. A view into `cgroup`; empty where there is none.
std::string_view FindContainerId(std::string_view cgroup);

// The same digits of a container id with its runtime, as Kubernetes writes it: "docker://…",
// "containerd://…", "cri-o://…". Empty for another runtime.
std::string_view CutContainerRuntime(std::string_view id);

}  // namespace stoker::procfs
