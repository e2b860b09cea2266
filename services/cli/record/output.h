#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "services/common/pprof/profile.h"

namespace stoker::cli {

// What `stoker record` writes.
enum class OutputFormat {
  // google/pprof's profile.proto in gzip.
  kPprof,
  // A line a stack, for flamegraph.pl and its kin: "root;...;leaf N", N in samples.
  kFolded,
  // speedscope's JSON (https://www.speedscope.app/file-format-schema.json), "sampled", nanoseconds.
  kSpeedscope,
  // One page that opens alone, without network (services/store/page, "Reports").
  kHtml,
};

// By the path's ending: .html, .pb.gz, .folded, .speedscope.json. "-" is folded, to standard
// output. INVALID_ARGUMENT lists the endings.
absl::StatusOr<OutputFormat> FormatOf(std::string_view path);

// What the file says of itself.
struct OutputTitle {
  // What was recorded: "hot 30", "pid 4242".
  std::string name;
  // The program and its version.
  std::string exporter;
  // Where, when and how much: one line.
  std::string detail;
};

// `pprof` in gzip for kPprof, else `profile`, which is the same, in that form.
std::string Render(OutputFormat format, std::string_view pprof, const pprof::Profile& profile,
                   const OutputTitle& title);

std::string ToFolded(const pprof::Profile& profile);
std::string ToHtml(std::string_view pprof, const pprof::Profile& profile, const OutputTitle& title);
std::string ToSpeedscope(const pprof::Profile& profile, const OutputTitle& title);

}  // namespace stoker::cli
