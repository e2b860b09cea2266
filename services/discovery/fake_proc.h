#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>

namespace stoker::discovery {

// A folder laid out as /proc, with processes of the test's making.
class FakeProc {
 public:
  // Made anew under `folder`.
  explicit FakeProc(std::filesystem::path folder) : root_(std::move(folder)) {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  ~FakeProc() { std::filesystem::remove_all(root_); }
  FakeProc(const FakeProc&) = delete;
  FakeProc& operator=(const FakeProc&) = delete;

  struct Process {
    int pid = 0;
    std::uint64_t start_ticks = 1;
    std::string exe = "/usr/bin/app";
    std::string cgroup = "0::/user.slice/session-1.scope";
  };

  // A process that starts, or changes.
  void Put(const Process& process) const {
    const std::filesystem::path folder = root_ / std::to_string(process.pid);
    std::filesystem::create_directories(folder);
    Write(folder / "stat", fmt::format("{} (app) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {} 0 0\n",
                                       process.pid, process.start_ticks));
    Write(folder / "status", "Name:\tapp\nUid:\t1000\t1000\t1000\t1000\n");
    Write(folder / "cmdline", process.exe + std::string("\0--serve\0", 9));
    Write(folder / "cgroup", process.cgroup + "\n");
    std::filesystem::remove(folder / "exe");
    std::filesystem::create_symlink(process.exe, folder / "exe");
    std::filesystem::remove(folder / "cwd");
    std::filesystem::create_symlink("/srv", folder / "cwd");
  }

  // A process that ends.
  void Remove(int pid) const { std::filesystem::remove_all(root_ / std::to_string(pid)); }

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }

 private:
  static void Write(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }

  const std::filesystem::path root_;
};

}  // namespace stoker::discovery
