#include "services/cli/record/record.h"

#include <cstdio>

#include <absl/time/clock.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "services/cli/capabilities.h"
#include "services/cli/event_loop.h"
#include "services/cli/exit_status.h"
#include "services/cli/record/output.h"
#include "services/cli/record/output_file.h"
#include "services/cli/record/process_tree.h"
#include "services/cli/record/progress.h"
#include "services/cli/record/session.h"
#include "services/common/base/status.h"
#include "services/common/log/log.h"
#include "services/common/pprof/reader.h"
#include "services/common/runtime/command_line.h"
#include "services/common/runtime/version.h"

namespace stoker::cli {
namespace {

// Our own: as large as the recording was.
constexpr pprof::ReadLimits kLimits = {.max_bytes = std::size_t{1} << 30,
                                       .max_samples = 16'000'000,
                                       .max_entries = 64'000'000,
                                       .max_stack_frames = 1'000'000'000};

int Fail(int exit_status, const absl::Status& status) {
  fmt::print(stderr, "stoker: {}\n", Message(status));
  return exit_status;
}

// What was recorded, as a title says it.
std::string Title(const RecordOptions& options) {
  if (options.all) return "whole host";
  if (options.pid.has_value()) return fmt::format("pid {}", *options.pid);
  return fmt::format("{}", fmt::join(options.command, " "));
}

// stoker-hot-20261121-140501.html
std::string DefaultOutput(const RecordOptions& options) {
  std::string what = "host";
  if (options.pid.has_value()) what = fmt::format("{}-{}", ProgramName(*options.pid), *options.pid);
  if (!options.command.empty()) {
    const std::string& program = options.command[0];
    what = program.substr(program.rfind('/') + 1);
  }
  const std::string time = absl::FormatTime("%Y%m%d-%H%M%S", absl::Now(), absl::LocalTimeZone());
  return fmt::format("stoker-{}-{}.html", what, time);
}

// Where, when, how long, how much.
std::string Detail(const SessionResult& result) {
  return fmt::format(
      "{} · {} · {:.1f} s · {} samples", runtime::DefaultNodeName(),
      absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::Now() - result.duration, absl::LocalTimeZone()),
      absl::ToDoubleSeconds(result.duration), result.samples);
}

absl::Status Write(const SessionResult& result, OutputFormat format, const std::string& path,
                   const OutputTitle& title) {
  STOKER_ASSIGN_OR_RETURN(const pprof::Profile profile, pprof::Read(result.pprof, kLimits));
  return WriteOutputFile(path, Render(format, result.pprof, profile, title));
}

}  // namespace

int Record(const RecordOptions& options) {
  const std::string output = options.output.empty() ? DefaultOutput(options) : options.output;
  const auto format = FormatOf(output);
  if (!format.ok()) return Fail(kExitUsage, format.status());
  for (const absl::Status& status : {CheckOutputFile(output), CheckCollectorCapabilities()}) {
    if (absl::IsPermissionDenied(status)) return Fail(kExitNotPermitted, status);
    if (!status.ok()) return Fail(1, status);
  }

  EventLoop::BlockSignals();
  log::Init("stoker", log::Level::kError, log::Format::kLogfmt);
  Progress progress(options.quiet);
  const auto result = RunSession(options, progress);
  progress.Clear();
  if (!result.ok()) {
    return Fail(absl::IsCancelled(result.status()) ? kExitInterrupted : 1, result.status());
  }
  if (!result->command_end.empty()) {
    progress.Say(fmt::format("{} ended, {}", options.command[0], result->command_end));
  }
  if (result->killed) return Fail(kExitInterrupted, absl::CancelledError("interrupted; no file"));
  if (result->pprof.empty()) {
    return Fail(1, NotFound("nothing was sampled: {}", result->why_empty));
  }
  const OutputTitle title = {.name = Title(options),
                             .exporter = std::string("stoker ") + runtime::kVersion,
                             .detail = Detail(*result)};
  if (const absl::Status status = Write(*result, *format, output, title); !status.ok()) {
    return Fail(1, status);
  }
  progress.Say(fmt::format("{} samples in {:.1f} s, {} lost: {}", result->samples,
                           absl::ToDoubleSeconds(result->duration),
                           result->lost.empty() ? "none" : result->lost, output));
  return 0;
}

}  // namespace stoker::cli
