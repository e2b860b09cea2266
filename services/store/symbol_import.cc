#include "services/store/symbol_import.h"

namespace stoker::store {

SymbolImport::SymbolImport(const pprof::Profile& profile, Symbols& symbols, StackIndex& stacks)
    : profile_(profile),
      symbols_(symbols),
      known_(stacks),
      strings_(profile.strings.size(), kNotYet),
      mappings_(profile.mappings.size(), kNotYet),
      functions_(profile.functions.size(), kNotYet),
      locations_(profile.locations.size(), kNotYet) {}

std::vector<std::uint32_t> SymbolImport::Stacks(const std::vector<bool>& wanted) {
  // Two passes, so that the places of all keys are on their way from memory before the first is
  // needed: waiting for each alone took most of a push.
  std::vector<std::uint32_t> frames;
  frames.reserve(profile_.stacks.size());
  std::vector<Pending> pending;
  pending.reserve(profile_.samples.size());
  for (std::uint32_t n = 0; n < profile_.samples.size(); ++n) {
    if (!wanted[n]) continue;
    Pending& stack = pending.emplace_back();
    stack.sample = n;
    stack.first = static_cast<std::uint32_t>(frames.size());
    for (const std::uint32_t index : profile_.StackOf(profile_.samples[n])) {
      const std::uint32_t location = Location(index);
      if (location != Symbols::kNone) frames.push_back(location);
    }
    stack.count = static_cast<std::uint32_t>(frames.size()) - stack.first;
    stack.key = known_.KeyOf(std::span(frames).subspan(stack.first, stack.count));
    known_.Prefetch(stack.key);
  }
  std::vector<std::uint32_t> numbers(profile_.samples.size(), Symbols::kNone);
  for (const Pending& stack : pending) {
    std::uint32_t& number = numbers[stack.sample];
    number = known_.Find(stack.key);
    if (number != StackIndex::kUnknown) continue;
    number = symbols_.InternStack(std::span(frames).subspan(stack.first, stack.count));
    known_.Insert(stack.key, number);
  }
  return numbers;
}

std::uint32_t SymbolImport::Location(std::uint32_t index) {
  std::uint32_t& number = locations_[index];
  if (number != kNotYet) return number;
  const pprof::Profile::Location& location = profile_.locations[index];
  lines_.clear();
  for (const pprof::Profile::Line& line : profile_.LinesOf(location)) {
    if (line.function == pprof::Profile::kMissing) continue;
    lines_.push_back({.function = Function(line.function), .line = line.line});
  }
  if (lines_.empty() && location.address == 0) return number = Symbols::kNone;
  const bool has_mapping = location.mapping != pprof::Profile::kMissing;
  const bool named =
      !lines_.empty() && has_mapping && profile_.mappings[location.mapping].has_functions;
  return number = symbols_.InternLocation(has_mapping ? Mapping(location.mapping) : Symbols::kNone,
                                          named ? 0 : location.address, lines_);
}

std::uint32_t SymbolImport::Mapping(std::uint32_t index) {
  std::uint32_t& number = mappings_[index];
  if (number != kNotYet) return number;
  const pprof::Profile::Mapping& mapping = profile_.mappings[index];
  const bool named = mapping.has_functions;
  return number = symbols_.InternMapping(
             {.filename = String(mapping.filename),
              .build_id = String(mapping.build_id),
              .start = named ? 0 : mapping.start,
              .limit = named ? 0 : mapping.limit,
              .offset = named ? 0 : mapping.offset,
              .flags = (named ? Symbols::kHasFunctions : 0) |
                       (mapping.has_filenames ? Symbols::kHasFilenames : 0) |
                       (mapping.has_line_numbers ? Symbols::kHasLineNumbers : 0) |
                       (mapping.has_inline_frames ? Symbols::kHasInlineFrames : 0)});
}

std::uint32_t SymbolImport::Function(std::uint32_t index) {
  std::uint32_t& number = functions_[index];
  if (number != kNotYet) return number;
  const pprof::Profile::Function& function = profile_.functions[index];
  return number = symbols_.InternFunction({.name = String(function.name),
                                           .system_name = String(function.system_name),
                                           .filename = String(function.filename),
                                           .start_line = function.start_line});
}

std::uint32_t SymbolImport::String(std::uint32_t index) {
  std::uint32_t& number = strings_[index];
  if (number == kNotYet) number = symbols_.InternString(profile_.strings[index]);
  return number;
}

SymbolCopy::SymbolCopy(const Symbols& from, Symbols& to)
    : from_(from),
      to_(to),
      functions_(from.functions().size(), Symbols::kNone),
      locations_(from.locations().size(), Symbols::kNone),
      stacks_(from.stacks().size(), Symbols::kNone) {
  stacks_[Symbols::kRoot] = Symbols::kRoot;
}

std::uint32_t SymbolCopy::Stack(std::uint32_t stack) {
  path_.clear();
  for (; stacks_[stack] == Symbols::kNone; stack = from_.stacks()[stack].parent) {
    path_.push_back(stack);
  }
  std::uint32_t copied = stacks_[stack];
  for (std::size_t i = path_.size(); i-- > 0;) {
    const std::uint32_t location = Location(from_.stacks()[path_[i]].location);
    copied = stacks_[path_[i]] = to_.InternStack(copied, location);
  }
  return copied;
}

std::uint32_t SymbolCopy::Location(std::uint32_t location) {
  std::uint32_t& number = locations_[location];
  if (number != Symbols::kNone) return number;
  const Symbols::Location& original = from_.locations()[location];
  lines_.clear();
  for (const Symbols::Line& line : from_.LinesOf(original)) {
    lines_.push_back({.function = Function(line.function), .line = line.line});
  }
  std::uint32_t mapping = Symbols::kNone;
  if (original.mapping != Symbols::kNone) {
    Symbols::Mapping copy = from_.mappings()[original.mapping];
    copy.filename = String(copy.filename);
    copy.build_id = String(copy.build_id);
    mapping = to_.InternMapping(copy);
  }
  return number = to_.InternLocation(mapping, original.address, lines_);
}

std::uint32_t SymbolCopy::Function(std::uint32_t function) {
  std::uint32_t& number = functions_[function];
  if (number != Symbols::kNone) return number;
  Symbols::Function copy = from_.functions()[function];
  copy.name = String(copy.name);
  copy.system_name = String(copy.system_name);
  copy.filename = String(copy.filename);
  return number = to_.InternFunction(copy);
}

}  // namespace stoker::store
