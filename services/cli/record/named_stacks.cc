#include "services/cli/record/named_stacks.h"

#include <map>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace stoker::cli {
namespace {

using pprof::Profile;

constexpr char kUnknown[] = "[unknown]";

class Namer {
 public:
  Namer(const Profile& profile, NamedStacks& named)
      : profile_(profile), named_(named), of_location_(profile.locations.size()) {}

  // The frames of one sample, the root first.
  std::vector<std::uint32_t> Frames(const Profile::Sample& sample) {
    std::vector<std::uint32_t> frames;
    for (const Profile::Label& label : profile_.LabelsOf(sample)) {
      if (profile_.strings[label.key] != kProcessLabel) continue;
      frames.push_back(
          Number({.name = fmt::format("{} (process)", profile_.strings[label.str]), .file = {}}));
    }
    const std::span<const std::uint32_t> stack = profile_.StackOf(sample);
    for (auto location = stack.rbegin(); location != stack.rend(); ++location) {
      const std::vector<std::uint32_t>& at = OfLocation(*location);
      frames.insert(frames.end(), at.begin(), at.end());
    }
    return frames;
  }

 private:
  // Of one location, the outermost function first.
  const std::vector<std::uint32_t>& OfLocation(std::uint32_t index) {
    if (index == Profile::kMissing) {
      if (missing_.empty()) missing_.push_back(Number({.name = kUnknown, .file = {}}));
      return missing_;
    }
    std::vector<std::uint32_t>& frames = of_location_[index];
    if (!frames.empty()) return frames;
    const Profile::Location& location = profile_.locations[index];
    const std::span<const Profile::Line> lines = profile_.LinesOf(location);
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
      frames.push_back(OfFunction(line->function));
    }
    if (frames.empty()) frames.push_back(Number({.name = Unnamed(location), .file = {}}));
    return frames;
  }

  std::uint32_t OfFunction(std::uint32_t index) {
    if (index == Profile::kMissing) return Number({.name = kUnknown, .file = {}});
    const Profile::Function& function = profile_.functions[index];
    return Number({.name = std::string(profile_.strings[function.name]),
                   .file = std::string(profile_.strings[function.filename])});
  }

  [[nodiscard]] std::string Unnamed(const Profile::Location& location) const {
    if (location.mapping == Profile::kMissing) return kUnknown;
    const std::string_view path = profile_.strings[profile_.mappings[location.mapping].filename];
    const std::string_view base = path.substr(path.rfind('/') + 1);
    return base.empty() ? kUnknown : fmt::format("{} {:#x}", base, location.address);
  }

  std::uint32_t Number(NamedStacks::Frame frame) {
    const auto next = static_cast<std::uint32_t>(named_.frames.size());
    const auto [entry, is_new] = numbers_.try_emplace({frame.name, frame.file}, next);
    if (is_new) named_.frames.push_back(std::move(frame));
    return entry->second;
  }

  const Profile& profile_;
  NamedStacks& named_;
  std::vector<std::vector<std::uint32_t>> of_location_;
  std::vector<std::uint32_t> missing_;
  std::map<std::pair<std::string, std::string>, std::uint32_t> numbers_;
};

}  // namespace

NamedStacks NameStacks(const Profile& profile) {
  NamedStacks named;
  named.period = profile.period;
  if (profile.sample_types.empty()) return named;
  Namer namer(profile, named);
  std::map<std::vector<std::uint32_t>, std::int64_t> sums;
  for (std::size_t i = 0; i < profile.samples.size(); ++i) {
    const std::int64_t value = profile.ValuesOf(i)[0];
    sums[namer.Frames(profile.samples[i])] += value;
    named.total += value;
  }
  for (auto& [frames, value] : sums) named.stacks.push_back({frames, value});
  return named;
}

}  // namespace stoker::cli
