#include "services/collector/ebpf/process_source.h"

#include <array>

#include <fcntl.h>
#include <unistd.h>

#include "services/common/base/unique_fd.h"

namespace stoker::ebpf {
namespace {

// A process may have millions of mappings; what is beyond is not looked at.
constexpr std::size_t kMaxMapsBytes = std::size_t{64} << 20;

std::string ReadMaps(std::uint32_t pid) {
  const UniqueFd fd(open(("/proc/" + std::to_string(pid) + "/maps").c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 16384> buffer;
  while (fd.valid() && text.size() < kMaxMapsBytes) {
    const ssize_t size = read(fd.get(), buffer.data(), buffer.size());
    if (size <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  return text;
}

}  // namespace

std::optional<ProcessSource::Snapshot> SystemProcessSource::Read(std::uint32_t pid) {
  Snapshot snapshot{.mappings = procfs::ParseMaps(ReadMaps(pid))};
  // After the mappings: a start time that fits says whose they were.
  const auto process = reader_.Read(static_cast<pid_t>(pid), procfs::kCgroup);
  if (!process.ok()) return std::nullopt;
  snapshot.start_ticks = process->key.start_ticks;
  snapshot.container_id = process->container_id;
  return snapshot;
}

}  // namespace stoker::ebpf
