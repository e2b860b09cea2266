#pragma once

#include <csignal>
#include <string>
#include <vector>

#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/store/http_caller.h"

namespace stoker::store {

// A port that was free a moment ago.
inline int FreePort() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

// A process of the real binary for tests; its data is in `dir`. Killed at the end.
class StoreProcess {
 public:
  StoreProcess(const std::string& dir, const std::vector<std::string>& flags) {
    const int port = FreePort();
    url_ = "http://127.0.0.1:" + std::to_string(port);
    pid_ = ::fork();
    if (pid_ != 0) return;
    std::vector<std::string> arguments = {"stoker-store", "--run-dir",   dir + "/run",
                                          "--data-dir",   dir + "/data", "--http.listen",
                                          url_.substr(7), "--log.level", "error"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv("services/store/stoker-store", argv.data());
    ::_exit(127);
  }
  ~StoreProcess() { Kill(); }
  StoreProcess(const StoreProcess&) = delete;
  StoreProcess& operator=(const StoreProcess&) = delete;

  void Kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

  // Asks it to stop in order; its exit status, as waitpid gives it.
  int Stop() {
    int status = -1;
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return status;
  }

  // Waits until it answers.
  [[nodiscard]] bool Ready() const {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (absl::Now() < deadline) {
      if (CallHttp(url_ + "/ready").status == 200) return true;
      if (::waitpid(pid_, nullptr, WNOHANG) != 0) return false;
      absl::SleepFor(absl::Milliseconds(20));
    }
    return false;
  }

  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] int port() const { return std::stoi(url_.substr(url_.rfind(':') + 1)); }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  std::string url_;
  pid_t pid_ = 0;
};

}  // namespace stoker::store
