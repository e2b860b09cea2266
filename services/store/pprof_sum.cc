#include "services/store/pprof_sum.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <xxhash.h>

#include "services/store/tree.h"

namespace stoker::store {
namespace {

// Pyroscope does not keep a profile's period; it guesses from the name.
std::int64_t PeriodOf(std::string_view name) {
  if (name == "process_cpu") return 1'000'000'000;
  return name == "memory" ? 512 * 1024 : 1;
}

// The stacks that begin with the functions of `call_site`.
std::vector<bool> Under(const Symbols& symbols, const std::vector<std::string>& call_site) {
  constexpr std::uint32_t kOff = UINT32_MAX;
  const auto& stacks = symbols.stacks();
  // How many of the names each stack has met; kOff once it met another.
  std::vector<std::uint32_t> met(stacks.size(), 0);
  std::vector<bool> under(stacks.size(), call_site.empty());
  for (std::size_t n = 1; n < stacks.size(); ++n) {
    met[n] = met[stacks[n].parent];
    const Symbols::Location& location = symbols.locations()[stacks[n].location];
    const auto lines = symbols.LinesOf(location);
    const auto meet = [&](std::string_view name) {
      if (met[n] == kOff || met[n] == call_site.size()) return;
      met[n] = name == call_site[met[n]] ? met[n] + 1 : kOff;
    };
    if (lines.empty()) meet(UnresolvedName(symbols, location));
    for (std::size_t i = lines.size(); i-- > 0;) {
      meet(symbols.String(symbols.functions()[lines[i].function].name));
    }
    under[n] = met[n] == call_site.size();
  }
  return under;
}

}  // namespace

void PprofSum::Add(const Symbols& symbols, std::span<const std::int64_t> sums) {
  locations_.assign(symbols.locations().size(), 0);
  leaf_locations_.assign(options_.aggregate_callees ? symbols.locations().size() : 0, 0);
  const std::vector<bool> under = Under(symbols, options_.call_site);
  for (std::uint32_t n = 0; n < sums.size(); ++n) {
    if (sums[n] == 0 || !under[n]) continue;
    const std::size_t start = pool_.size();
    for (std::uint32_t stack = n; stack != Symbols::kRoot; stack = symbols.stacks()[stack].parent) {
      const std::size_t kept = pool_.size() - start;
      if (options_.keep_locations != 0 && kept == options_.keep_locations) break;
      pool_.push_back(Location(symbols, symbols.stacks()[stack].location,
                               kept == 0 && options_.aggregate_callees));
    }
    const std::span<const std::uint64_t> key(pool_.data() + start, pool_.size() - start);
    const auto found = index_.FindOrInsert(
        XXH3_64bits(key.data(), key.size_bytes()), static_cast<std::uint32_t>(values_.size()),
        [&](std::uint32_t other) {
          return std::ranges::equal(
              key, std::span(pool_).subspan(starts_[other], starts_[other + 1] - starts_[other]));
        });
    if (found.inserted) {
      starts_.push_back(pool_.size());
      values_.push_back(sums[n]);
    } else {
      pool_.resize(start);
      values_[found.number] += sums[n];
    }
  }
}

std::uint64_t PprofSum::Location(const Symbols& symbols, std::uint32_t location, bool is_leaf) {
  std::uint64_t& id = (is_leaf ? leaf_locations_ : locations_)[location];
  if (id != 0) return id;
  const Symbols::Location& original = symbols.locations()[location];
  lines_.clear();
  for (const Symbols::Line& line : symbols.LinesOf(original)) {
    const Symbols::Function& function = symbols.functions()[line.function];
    lines_.push_back(
        {.function_id = builder_.AddFunction({.name = symbols.String(function.name),
                                              .system_name = symbols.String(function.system_name),
                                              .filename = symbols.String(function.filename),
                                              .start_line = function.start_line}),
         .line = line.line});
  }
  if (is_leaf && !lines_.empty()) lines_.front().line = 0;
  const std::uint64_t address = is_leaf && !lines_.empty() ? 0 : original.address;
  return id = builder_.AddLocation(Mapping(symbols, original.mapping), address, lines_);
}

std::uint64_t PprofSum::Mapping(const Symbols& symbols, std::uint32_t mapping) {
  if (mapping == Symbols::kNone) return 0;
  const Symbols::Mapping& original = symbols.mappings()[mapping];
  return builder_.AddMapping(
      {.start = original.start,
       .limit = original.limit,
       .offset = original.offset,
       .filename = symbols.String(original.filename),
       .build_id = symbols.String(original.build_id),
       .has_functions = (original.flags & Symbols::kHasFunctions) != 0,
       .has_filenames = (original.flags & Symbols::kHasFilenames) != 0,
       .has_line_numbers = (original.flags & Symbols::kHasLineNumbers) != 0,
       .has_inline_frames = (original.flags & Symbols::kHasInlineFrames) != 0});
}

std::string PprofSum::Finish(const ProfileType& type, std::int64_t end_nanos,
                             std::int64_t max_samples) && {
  if (values_.empty()) return "";
  builder_.AddSampleType(type.sample_type, type.sample_unit);
  builder_.SetDefaultSampleType(type.sample_type);
  builder_.SetPeriod(type.period_type, type.period_unit, PeriodOf(type.name));
  builder_.SetTime(end_nanos, 0);
  std::vector<std::uint32_t> order(values_.size());
  std::iota(order.begin(), order.end(), 0);
  std::int64_t other = 0;
  if (max_samples > 0 && static_cast<std::size_t>(max_samples) < order.size()) {
    std::ranges::nth_element(order, order.begin() + max_samples, std::ranges::greater{},
                             [&](std::uint32_t n) { return values_[n]; });
    for (std::size_t i = static_cast<std::size_t>(max_samples); i < order.size(); ++i) {
      other += values_[order[i]];
    }
    order.resize(static_cast<std::size_t>(max_samples));
    std::ranges::sort(order);
  }
  for (const std::uint32_t n : order) {
    builder_.AddSample(std::span(pool_).subspan(starts_[n], starts_[n + 1] - starts_[n]),
                       std::span(&values_[n], 1));
  }
  if (other != 0) {
    const std::uint64_t function = builder_.AddFunction({.name = "other"});
    const std::uint64_t location = builder_.AddLocation(0, 0, {{.function_id = function}});
    builder_.AddSample(std::span(&location, 1), std::span(&other, 1));
  }
  return std::move(builder_).Finish();
}

}  // namespace stoker::store
