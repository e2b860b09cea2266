#include "services/common/pprof/transfer.h"

namespace stoker::pprof {

Transfer::Transfer(const Profile& profile, ProfileBuilder& builder)
    : profile_(profile),
      builder_(builder),
      mappings_(profile.mappings.size()),
      functions_(profile.functions.size()),
      locations_(profile.locations.size()) {}

std::uint64_t Transfer::Location(std::uint32_t index) {
  if (index >= locations_.size()) return 0;
  if (locations_[index] != 0) return locations_[index];
  const Profile::Location& location = profile_.locations[index];
  lines_.clear();
  for (const Profile::Line& line : profile_.LinesOf(location)) {
    lines_.push_back({.function_id = Function(line.function), .line = line.line});
  }
  return locations_[index] = builder_.AddLocation(Mapping(location.mapping), location.address,
                                                  lines_, location.is_folded);
}

std::uint64_t Transfer::Mapping(std::uint32_t index) {
  if (index >= mappings_.size()) return 0;
  if (mappings_[index] != 0) return mappings_[index];
  const Profile::Mapping& mapping = profile_.mappings[index];
  return mappings_[index] = builder_.AddMapping({.start = mapping.start,
                                                 .limit = mapping.limit,
                                                 .offset = mapping.offset,
                                                 .filename = profile_.strings[mapping.filename],
                                                 .build_id = profile_.strings[mapping.build_id],
                                                 .has_functions = mapping.has_functions,
                                                 .has_filenames = mapping.has_filenames,
                                                 .has_line_numbers = mapping.has_line_numbers,
                                                 .has_inline_frames = mapping.has_inline_frames});
}

std::uint64_t Transfer::Function(std::uint32_t index) {
  if (index >= functions_.size()) return 0;
  if (functions_[index] != 0) return functions_[index];
  const Profile::Function& function = profile_.functions[index];
  return functions_[index] =
             builder_.AddFunction({.name = profile_.strings[function.name],
                                   .system_name = profile_.strings[function.system_name],
                                   .filename = profile_.strings[function.filename],
                                   .start_line = function.start_line});
}

}  // namespace stoker::pprof
