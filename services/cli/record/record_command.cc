#include "services/cli/record/record_command.h"

#include <memory>
#include <string>

#include <absl/strings/numbers.h>

#include "services/cli/record/record.h"

namespace stoker::cli {
namespace {

constexpr int kMaxRate = 10'000;
constexpr char kDefaultDuration[] = "10s";

// "10s", "1m30s", or seconds without a unit.
bool ParseDuration(std::string text, absl::Duration& duration) {
  double seconds = 0;
  if (absl::SimpleAtod(text, &seconds)) text += "s";
  return absl::ParseDuration(text, &duration) && duration > absl::ZeroDuration();
}

struct Flags {
  RecordOptions options;
  pid_t pid = 0;
  std::string duration;
};

}  // namespace

void AddRecordCommand(CLI::App& app, int& status) {
  auto flags = std::make_shared<Flags>();
  RecordOptions& options = flags->options;
  CLI::App* record = app.add_subcommand(
      "record", "Record a command, a process or the whole host into one file, without a server");
  record->footer(
      "Examples:\n"
      "  sudo stoker record -o build.html -- make -j4\n"
      "  sudo stoker record --pid 4242 --duration 30s -o 4242.pb.gz\n"
      "Exit status: 0 a file was written, 1 failure or nothing sampled, 2 wrong command line,\n"
      "  77 not permitted, 130 interrupted without a file.");
  CLI::Option* pid = record->add_option("-p,--pid", flags->pid, "This process and its children")
                         ->check(CLI::Range(1, 1 << 22));
  CLI::Option* all = record->add_flag("-a,--all", options.all, "Every process of this host");
  CLI::Option* command = record->add_option(
      "COMMAND", options.command,
      "After --: a program to run and its arguments; recorded with its children until it ends");
  pid->excludes(all)->excludes(command);
  all->excludes(command);
  record
      ->add_option("-d,--duration", flags->duration,
                   "How long: 10s, 2m. Without it 10s; a command until it ends")
      ->check([](const std::string& text) {
        absl::Duration duration;
        return ParseDuration(text, duration) ? std::string() : text + " is no duration such as 10s";
      });
  record->add_option("-F,--rate", options.rate, "Samples a second of each CPU")
      ->check(CLI::Range(1, kMaxRate))
      ->capture_default_str();
  record->add_option(
      "-o,--output", options.output,
      "The file; its ending says the format: .html, .pb.gz, .folded, .speedscope.json; - is "
      "folded to standard output. Without it stoker-<what>-<time>.html");
  record->add_flag("-q,--quiet", options.quiet, "Say nothing but errors");
  record->add_option("--bin-dir", options.bin_dir, "Folder of the processes' binaries");
  record->callback([flags, pid, command, &status] {
    RecordOptions& chosen = flags->options;
    if (pid->count() > 0) chosen.pid = flags->pid;
    if (pid->count() == 0 && !chosen.all && command->count() == 0) {
      throw CLI::ValidationError("record",
                                 "what to record is missing: --pid P, --all or -- COMMAND");
    }
    if (flags->duration.empty() && command->count() == 0) flags->duration = kDefaultDuration;
    if (!flags->duration.empty()) ParseDuration(flags->duration, chosen.duration);
    status = Record(chosen);
  });
}

}  // namespace stoker::cli
