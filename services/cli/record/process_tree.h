#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include <sys/types.h>

#include "services/common/base/unique_fd.h"

namespace stoker::cli {

// Which processes are a process and its descendants, from what the kernel tells of forks, in any
// order of telling. Owned by one thread.
class Descendants {
 public:
  explicit Descendants(pid_t root) : known_{root} {}

  // True when `child` is one of them and new.
  bool OnFork(pid_t parent, pid_t child);
  [[nodiscard]] bool Contains(pid_t pid) const { return known_.contains(pid); }
  [[nodiscard]] const std::set<pid_t>& known() const { return known_; }

 private:
  std::set<pid_t> known_;
};

// Follows a process and its descendants until destroyed, on a thread of its own: by the kernel's
// process events (netlink's connector; needs CAP_NET_ADMIN and the first pid namespace), which miss
// no process however short its life; where there are none, by looking through /proc each 100 ms.
class ProcessTree {
 public:
  // Told of each process once, and of its new name when it executes a program. The name is the
  // program's, as of the lab's services. On the tree's thread.
  using Seen = std::function<void(pid_t pid, const std::string& name)>;

  ProcessTree(pid_t root, Seen seen);
  ~ProcessTree();
  ProcessTree(const ProcessTree&) = delete;
  ProcessTree& operator=(const ProcessTree&) = delete;

 private:
  void Run();
  void ReadEvents();
  // Finds descendants among all processes.
  void Scan();
  void Tell(pid_t pid);

  const Seen seen_;
  Descendants descendants_;
  // The last name told; a child has its parent's until it executes a program.
  std::string last_name_;
  const UniqueFd stop_;
  // Invalid: no events.
  UniqueFd events_;
  std::thread thread_;
};

// The file name of a process' program, else its thread's name; "" when it is gone.
std::string ProgramName(pid_t pid);

// Field 22 of /proc/PID/stat, which tells a process from a later one of its pid; 0 when it is gone
// or waits, dead, for its parent.
std::uint64_t AliveSince(pid_t pid);

}  // namespace stoker::cli
