#include "services/cli/record/output.h"

#include <algorithm>
#include <map>

#include <absl/strings/escaping.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "services/cli/record/flame_levels.h"
#include "services/cli/record/named_stacks.h"
#include "services/common/base/status.h"
#include "services/common/pprof/gzip.h"
#include "services/store/page/report.h"

namespace stoker::cli {
namespace {

constexpr int kGzipLevel = 6;
constexpr char kSpeedscopeSchema[] = "https://www.speedscope.app/file-format-schema.json";

// A frame in a folded line: neither the separator nor a line's end.
std::string FoldedName(std::string name) {
  std::ranges::replace(name, ';', ':');
  std::ranges::replace_if(name, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return name;
}

}  // namespace

absl::StatusOr<OutputFormat> FormatOf(std::string_view path) {
  if (path == "-" || path.ends_with(".folded")) return OutputFormat::kFolded;
  if (path.ends_with(".html")) return OutputFormat::kHtml;
  if (path.ends_with(".pb.gz")) return OutputFormat::kPprof;
  if (path.ends_with(".speedscope.json")) return OutputFormat::kSpeedscope;
  return InvalidArgument(
      "{}: the ending says the format: .html, .pb.gz, .folded or .speedscope.json (- is folded, to "
      "standard output)",
      path);
}

std::string ToFolded(const pprof::Profile& profile) {
  const NamedStacks named = NameStacks(profile);
  // Frames that differ in their file only are one here.
  std::map<std::string, std::int64_t> lines;
  for (const NamedStacks::Stack& stack : named.stacks) {
    std::string line;
    for (const std::uint32_t frame : stack.frames) {
      if (!line.empty()) line += ';';
      line += FoldedName(named.frames[frame].name);
    }
    lines[line] += stack.value;
  }
  std::string text;
  for (const auto& [line, value] : lines) {
    text += fmt::format("{} {}\n", line, named.period > 0 ? value / named.period : value);
  }
  return text;
}

std::string ToSpeedscope(const pprof::Profile& profile, const OutputTitle& title) {
  const NamedStacks named = NameStacks(profile);
  nlohmann::ordered_json frames = nlohmann::ordered_json::array();
  for (const NamedStacks::Frame& frame : named.frames) {
    nlohmann::ordered_json entry = {{"name", frame.name}};
    if (!frame.file.empty()) entry["file"] = frame.file;
    frames.push_back(std::move(entry));
  }
  nlohmann::ordered_json samples = nlohmann::ordered_json::array();
  nlohmann::ordered_json weights = nlohmann::ordered_json::array();
  for (const NamedStacks::Stack& stack : named.stacks) {
    samples.push_back(stack.frames);
    weights.push_back(stack.value);
  }
  const nlohmann::ordered_json file = {
      {"$schema", kSpeedscopeSchema},
      {"shared", {{"frames", std::move(frames)}}},
      {"profiles", nlohmann::ordered_json::array({{{"type", "sampled"},
                                                   {"name", title.name},
                                                   {"unit", "nanoseconds"},
                                                   {"startValue", 0},
                                                   {"endValue", named.total},
                                                   {"samples", std::move(samples)},
                                                   {"weights", std::move(weights)}}})},
      {"name", title.name},
      {"activeProfileIndex", 0},
      {"exporter", title.exporter}};
  return file.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string ToHtml(std::string_view pprof, const pprof::Profile& profile,
                   const OutputTitle& title) {
  // The graph has the process as its first frame; the pprof adds files, lines and inlining.
  const nlohmann::ordered_json report = {
      {"title", title.name},
      {"detail", title.detail},
      {"pprof", absl::Base64Escape(pprof::Gzip(pprof, kGzipLevel))},
      {"flamebearer", ToFlamebearer(NameStacks(profile))},
      {"metadata", {{"name", "cpu"}, {"units", "samples"}, {"sampleRate", 1'000'000'000}}}};
  return store::MakeReport(report.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::string Render(OutputFormat format, std::string_view pprof, const pprof::Profile& profile,
                   const OutputTitle& title) {
  switch (format) {
    case OutputFormat::kPprof:
      return pprof::Gzip(pprof, kGzipLevel);
    case OutputFormat::kFolded:
      return ToFolded(profile);
    case OutputFormat::kSpeedscope:
      return ToSpeedscope(profile, title);
    case OutputFormat::kHtml:
      return ToHtml(pprof, profile, title);
  }
  return {};
}

}  // namespace stoker::cli
