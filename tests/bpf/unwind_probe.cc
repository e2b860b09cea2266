// Prints how the stacks of a program end, and the commonest of those that do not end naturally.
//
//   unwind_probe RATE SECONDS PROGRAM [ARGUMENT...]      (SECONDS of all processes without PROGRAM)
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <absl/strings/str_format.h>
#include <absl/time/clock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/collector/ebpf/python/runtime.h"
#include "services/collector/ebpf/stop_word.h"
#include "services/collector/ebpf/unwind/table_job.h"
#include "services/common/elf/inspect.h"
#include "services/common/sandbox/worker.h"
#include "tests/bpf/live_unwinder.h"

namespace {

using stoker::ebpf::LiveUnwinder;
using stoker::ebpf::ProcessPtr;
using stoker::ebpf::RawSample;

std::string Place(const ProcessPtr& process, std::uint64_t address) {
  if (process->image == nullptr) return absl::StrFormat("%x", address);
  const auto* mapping = process->image->Find(address);
  if (mapping == nullptr) return absl::StrFormat("%x", address);
  return absl::StrFormat("%s+%x", mapping->place.path,
                         address - mapping->place.start + mapping->place.file_offset);
}

}  // namespace

int main(int argc, char** argv) {
  if (stoker::sandbox::IsWorker(argc, argv)) {
    return stoker::sandbox::RunWorker(
        argv, {{stoker::elf::kInspectJob, stoker::elf::InspectJob},
               {stoker::ebpf::unwind::kTableJob, stoker::ebpf::unwind::TableJob},
               {stoker::ebpf::kPythonRuntimeJob, stoker::ebpf::PythonRuntimeJob}});
  }
  if (argc < 3) return 2;
  const int rate = std::atoi(argv[1]);
  const int seconds = std::atoi(argv[2]);
  std::uint32_t pid = 0;
  std::map<std::string, std::uint64_t> stops;
  std::map<std::string, std::uint64_t> stacks;
  std::uint64_t samples = 0;
  std::uint64_t user = 0;
  std::uint64_t frames = 0;
  const bool all = argc == 3;
  auto live = LiveUnwinder::Start(
      rate, "/tmp/unwind-probe-tables", [&](const ProcessPtr& process, const RawSample& sample) {
        if (!all && sample.pid != pid) return;
        ++samples;
        if (sample.user.empty()) return;
        ++user;
        frames += sample.user.size();
        const std::string word = stoker::ebpf::StopWord(sample.stop);
        ++stops[word];
        if (sample.stop == STOKER_STOP_COMPLETE) return;
        std::string stack = word;
        const std::size_t from = sample.user.size() > 5 ? sample.user.size() - 5 : 0;
        for (std::size_t i = from; i < sample.user.size(); ++i) {
          stack += "\n      " + Place(process, sample.user[i]);
        }
        ++stacks[stack];
      });
  if (!live.ok()) {
    std::fprintf(stderr, "%s\n", live.status().ToString().c_str());
    return 1;
  }
  rusage usage{};
  if (all) {
    (*live)->Run(absl::Seconds(seconds));
  } else {
    pid = static_cast<std::uint32_t>(fork());
    if (pid == 0) {
      execvp(argv[3], argv + 3);
      _exit(127);
    }
    int status = 0;
    const absl::Time end = absl::Now() + absl::Seconds(seconds);
    while (absl::Now() < end && wait4(static_cast<pid_t>(pid), &status, WNOHANG, &usage) == 0) {
      (*live)->Run(absl::Milliseconds(20));
    }
    kill(static_cast<pid_t>(pid), SIGKILL);
  }
  (*live)->Stop();
  std::printf(
      "%llu samples, %llu with a user stack, %.1f frames each; CPU %.3f s sampled, %.3f used\n",
      static_cast<unsigned long long>(samples), static_cast<unsigned long long>(user),
      static_cast<double>(frames) / static_cast<double>(std::max<std::uint64_t>(user, 1)),
      static_cast<double>(samples) / rate,
      static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
          static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
  for (const auto& [word, count] : stops) {
    std::printf("%-20s %8llu  %6.2f %%\n", word.c_str(), static_cast<unsigned long long>(count),
                100.0 * static_cast<double>(count) / static_cast<double>(user));
  }
  std::vector<std::pair<std::uint64_t, std::string>> common;
  for (const auto& [stack, count] : stacks) common.emplace_back(count, stack);
  std::sort(common.rbegin(), common.rend());
  if (common.size() > 12) common.resize(12);
  for (const auto& [count, stack] : common) {
    std::printf("%6llu %s\n", static_cast<unsigned long long>(count), stack.c_str());
  }
  const auto stats = (*live)->sampler().ReadStats();
  const auto& counts = (*live)->unwinder().publisher().counts();
  std::printf(
      "ring full %llu, deferred %llu, walks %llu, frames %llu; pages %llu of %llu bytes, maps "
      "%llu\n",
      static_cast<unsigned long long>(stats[STOKER_STAT_RING_FULL]),
      static_cast<unsigned long long>(stats[STOKER_STAT_DEFERRED]),
      static_cast<unsigned long long>(stats[STOKER_STAT_WALKS]),
      static_cast<unsigned long long>(stats[STOKER_STAT_WALKED_FRAMES]),
      static_cast<unsigned long long>(counts.pages),
      static_cast<unsigned long long>(counts.page_bytes),
      static_cast<unsigned long long>((*live)->unwinder().publisher().memory().bytes()));
  return 0;
}
