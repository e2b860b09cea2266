#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <sys/types.h>

#include "services/common/base/unique_fd.h"

namespace stoker::cli {

// Who called sudo: what a command is run as, and whom a file belongs to.
struct Invoker {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
};

// From sudo's SUDO_UID, SUDO_GID and SUDO_USER; nothing when this process is not root, or root was
// not reached that way.
std::optional<Invoker> InvokerOfSudo();

// A command to record: a child that waits before it executes the program, so that everything is in
// place at its first instruction. It is a process group of its own, the terminal's foreground one
// where we were, so that it reads the terminal and gets its Ctrl-C.
class Command {
 public:
  // `words` is the program, looked for in PATH, and its arguments; not empty.
  static absl::StatusOr<std::unique_ptr<Command>> Start(const std::vector<std::string>& words,
                                                        const std::optional<Invoker>& user);
  // Takes the terminal back. The command itself is left alone.
  ~Command();
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }

  // Lets it execute the program. The error says why it could not.
  absl::Status Release();

  // Sends a signal to its group.
  void Signal(int number) const;

 private:
  Command() = default;

  pid_t pid_ = 0;
  // Of the terminal's foreground group before; 0 where we had no terminal.
  pid_t foreground_ = 0;
  std::string program_;
  // Written to: execute now.
  UniqueFd go_;
  // Read from: errno of a failed exec, or its end.
  UniqueFd failure_;
};

}  // namespace stoker::cli
