#include "services/common/pprof/reader.h"

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "services/common/base/status.h"
#include "services/common/pprof/gzip.h"
#include "services/common/pprof/utf8.h"
#include "services/common/pprof/wire.h"
#include "services/common/pprof/wire_reader.h"

namespace stoker::pprof {
namespace {

// Where an id is in its list. Ids are 1..n in nearly every profile; any other numbering is found by
// hash.
class IdIndex {
 public:
  void Add(std::uint64_t id) {
    dense_ = dense_ && id == count_ + 1;
    if (!dense_) Spread();
    if (!dense_) sparse_.emplace(id, count_);
    ++count_;
  }

  [[nodiscard]] std::uint32_t Find(std::uint64_t id) const {
    if (dense_)
      return id >= 1 && id <= count_ ? static_cast<std::uint32_t>(id - 1) : Profile::kMissing;
    const auto it = sparse_.find(id);
    return it == sparse_.end() ? Profile::kMissing : it->second;
  }

 private:
  void Spread() {
    if (spread_) return;
    spread_ = true;
    for (std::uint32_t i = 0; i < count_; ++i) sparse_.emplace(i + 1, i);
  }

  bool dense_ = true;
  bool spread_ = false;
  std::uint32_t count_ = 0;
  std::unordered_map<std::uint64_t, std::uint32_t> sparse_;
};

// Reads one message in three passes over its top level, so that everything is there before what
// refers to it: first strings, types, functions and mappings, then locations, then samples.
class MessageReader {
 public:
  MessageReader(Profile& profile, const ReadLimits& limits) : profile_(profile), limits_(limits) {}

  absl::Status Run() {
    STOKER_RETURN_IF_ERROR(ReadTables());
    STOKER_RETURN_IF_ERROR(CheckHead());
    STOKER_RETURN_IF_ERROR(ReadLocations());
    return ReadSamples();
  }

 private:
  absl::Status ReadTables();
  absl::Status ReadScalar(WireReader& message);
  absl::Status AddString(std::string_view text);
  absl::Status ReadMapping(WireReader message);
  absl::Status ReadFunction(WireReader message);
  static absl::Status ReadValueType(WireReader message, Profile::ValueType& type);
  absl::Status CheckHead();
  absl::Status CheckTypes();
  absl::Status CheckNames();
  absl::Status ReadLocations();
  absl::Status ReadLocation(WireReader message);
  absl::Status ReadSamples();
  absl::Status ReadSample(WireReader message);
  absl::Status ReadLabel(WireReader message);

  // A string index as it came, checked later: what does not fit becomes one past every table.
  static std::uint32_t Index(std::int64_t index) {
    return index < 0 || index > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(index);
  }
  [[nodiscard]] bool InTable(std::uint32_t string) const {
    return string < profile_.strings.size();
  }

  Profile& profile_;
  const ReadLimits& limits_;
  IdIndex mapping_ids_;
  IdIndex function_ids_;
  IdIndex location_ids_;
};

absl::Status Sound(const WireReader& message) {
  if (message.ok()) return absl::OkStatus();
  return InvalidArgument("failed to parse pprof: damaged message");
}

absl::Status TooMany(std::string_view what, std::size_t limit) {
  return ResourceExhausted("profile has more than {} {}", limit, what);
}

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes.substr(0, 64)) {
    hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  }
  return hex;
}

absl::Status MessageReader::ReadTables() {
  WireReader message(*profile_.bytes);
  while (message.Next()) {
    switch (message.field()) {
      case wire::Profile::kSampleType:
        if (profile_.sample_types.size() == 1024) return TooMany("sample types", 1024);
        STOKER_RETURN_IF_ERROR(
            ReadValueType(WireReader(message.Bytes()), profile_.sample_types.emplace_back()));
        break;
      case wire::Profile::kMapping:
        STOKER_RETURN_IF_ERROR(ReadMapping(WireReader(message.Bytes())));
        break;
      case wire::Profile::kFunction:
        STOKER_RETURN_IF_ERROR(ReadFunction(WireReader(message.Bytes())));
        break;
      case wire::Profile::kStringTable:
        STOKER_RETURN_IF_ERROR(AddString(message.Bytes()));
        break;
      case wire::Profile::kSample:
      case wire::Profile::kLocation:
        break;
      default:
        STOKER_RETURN_IF_ERROR(ReadScalar(message));
    }
  }
  return Sound(message);
}

absl::Status MessageReader::ReadScalar(WireReader& message) {
  switch (message.field()) {
    case wire::Profile::kDropFrames:
      profile_.drop_frames = Index(message.Int());
      break;
    case wire::Profile::kKeepFrames:
      profile_.keep_frames = Index(message.Int());
      break;
    case wire::Profile::kTimeNanos:
      // Two messages one after the other read as one; only the second time gives them away.
      if (profile_.time_nanos != 0) return InvalidArgument("concatenated profiles detected");
      profile_.time_nanos = message.Int();
      break;
    case wire::Profile::kDurationNanos:
      profile_.duration_nanos = message.Int();
      break;
    case wire::Profile::kPeriodType:
      profile_.has_period_type = true;
      return ReadValueType(WireReader(message.Bytes()), profile_.period_type);
    case wire::Profile::kPeriod:
      profile_.period = message.Int();
      break;
    case wire::Profile::kComment:
      if (!message.AppendTo(profile_.comments, 1024)) return TooMany("comments", 1024);
      break;
    case wire::Profile::kDefaultSampleType:
      profile_.default_sample_type = Index(message.Int());
      break;
    default:
      break;
  }
  return absl::OkStatus();
}

absl::Status MessageReader::AddString(std::string_view text) {
  if (profile_.strings.size() == limits_.max_entries)
    return TooMany("strings", limits_.max_entries);
  if (!IsUtf8(text)) return InvalidArgument("invalid utf8 string hex: {}", Hex(text));
  if (text.size() > limits_.max_symbol_bytes) {
    text.remove_prefix(text.size() - limits_.max_symbol_bytes);
    // The cut may have hit a character.
    while ((static_cast<unsigned char>(text.front()) & 0xc0) == 0x80) text.remove_prefix(1);
  }
  profile_.strings.push_back(text);
  return absl::OkStatus();
}

absl::Status MessageReader::ReadValueType(WireReader message, Profile::ValueType& type) {
  while (message.Next()) {
    switch (message.field()) {
      case wire::ValueType::kType:
        type.type = Index(message.Int());
        break;
      case wire::ValueType::kUnit:
        type.unit = Index(message.Int());
        break;
      default:
        break;
    }
  }
  return Sound(message);
}

absl::Status MessageReader::ReadMapping(WireReader message) {
  if (profile_.mappings.size() == limits_.max_entries) {
    return TooMany("mappings", limits_.max_entries);
  }
  Profile::Mapping mapping;
  std::uint64_t id = 0;
  while (message.Next()) {
    switch (message.field()) {
      case wire::Mapping::kId:
        id = message.Uint();
        break;
      case wire::Mapping::kMemoryStart:
        mapping.start = message.Uint();
        break;
      case wire::Mapping::kMemoryLimit:
        mapping.limit = message.Uint();
        break;
      case wire::Mapping::kFileOffset:
        mapping.offset = message.Uint();
        break;
      case wire::Mapping::kFilename:
        mapping.filename = Index(message.Int());
        break;
      case wire::Mapping::kBuildId:
        mapping.build_id = Index(message.Int());
        break;
      case wire::Mapping::kHasFunctions:
        mapping.has_functions = message.Uint() != 0;
        break;
      case wire::Mapping::kHasFilenames:
        mapping.has_filenames = message.Uint() != 0;
        break;
      case wire::Mapping::kHasLineNumbers:
        mapping.has_line_numbers = message.Uint() != 0;
        break;
      case wire::Mapping::kHasInlineFrames:
        mapping.has_inline_frames = message.Uint() != 0;
        break;
      default:
        break;
    }
  }
  STOKER_RETURN_IF_ERROR(Sound(message));
  mapping_ids_.Add(id);
  profile_.mappings.push_back(mapping);
  return absl::OkStatus();
}

absl::Status MessageReader::ReadFunction(WireReader message) {
  if (profile_.functions.size() == limits_.max_entries) {
    return TooMany("functions", limits_.max_entries);
  }
  Profile::Function function;
  std::uint64_t id = 0;
  while (message.Next()) {
    switch (message.field()) {
      case wire::Function::kId:
        id = message.Uint();
        break;
      case wire::Function::kName:
        function.name = Index(message.Int());
        break;
      case wire::Function::kSystemName:
        function.system_name = Index(message.Int());
        break;
      case wire::Function::kFilename:
        function.filename = Index(message.Int());
        break;
      case wire::Function::kStartLine:
        function.start_line = message.Int();
        break;
      default:
        break;
    }
  }
  STOKER_RETURN_IF_ERROR(Sound(message));
  if (id == 0) return InvalidArgument("function id is 0");
  function_ids_.Add(id);
  profile_.functions.push_back(function);
  return absl::OkStatus();
}

absl::Status MessageReader::CheckHead() {
  if (profile_.sample_types.empty()) return InvalidArgument("empty profile");
  if (profile_.strings.empty() || !profile_.strings[0].empty()) {
    return InvalidArgument("string 0 should be empty string");
  }
  STOKER_RETURN_IF_ERROR(CheckTypes());
  return CheckNames();
}

absl::Status MessageReader::CheckTypes() {
  for (const Profile::ValueType& type : profile_.sample_types) {
    if (!InTable(type.type)) return InvalidArgument("sample type type string index out of range");
    if (!InTable(type.unit)) return InvalidArgument("sample type unit string index out of range");
    if (profile_.strings[type.type].find('-') != std::string_view::npos) {
      return InvalidArgument("sample type contains -");
    }
  }
  const Profile::ValueType& period = profile_.period_type;
  if (!InTable(period.type)) return InvalidArgument("period type type string index out of range");
  if (!InTable(period.unit)) return InvalidArgument("period type unit string index out of range");
  // What is only shown may be wrong without harm.
  for (std::uint32_t* index :
       {&profile_.default_sample_type, &profile_.drop_frames, &profile_.keep_frames}) {
    if (!InTable(*index)) *index = 0;
  }
  std::erase_if(profile_.comments, [&](std::uint32_t comment) { return !InTable(comment); });
  return absl::OkStatus();
}

absl::Status MessageReader::CheckNames() {
  for (const Profile::Mapping& mapping : profile_.mappings) {
    if (!InTable(mapping.filename)) {
      return InvalidArgument("mapping file name string index out of range");
    }
    if (!InTable(mapping.build_id)) {
      return InvalidArgument("mapping build id string index out of range");
    }
  }
  for (const Profile::Function& function : profile_.functions) {
    if (!InTable(function.name)) return InvalidArgument("function name string index out of range");
    if (!InTable(function.system_name)) {
      return InvalidArgument("function system name index string out of range");
    }
    if (!InTable(function.filename)) {
      return InvalidArgument("function file name string index out of range");
    }
  }
  return absl::OkStatus();
}

absl::Status MessageReader::ReadLocations() {
  WireReader message(*profile_.bytes);
  while (message.Next()) {
    if (message.field() != wire::Profile::kLocation) continue;
    STOKER_RETURN_IF_ERROR(ReadLocation(WireReader(message.Bytes())));
  }
  return absl::OkStatus();
}

absl::Status MessageReader::ReadLocation(WireReader message) {
  if (profile_.locations.size() == limits_.max_entries) {
    return TooMany("locations", limits_.max_entries);
  }
  Profile::Location location;
  location.lines.first = static_cast<std::uint32_t>(profile_.lines.size());
  std::uint64_t id = 0;
  while (message.Next()) {
    switch (message.field()) {
      case wire::Location::kId:
        id = message.Uint();
        break;
      case wire::Location::kMappingId: {
        const std::uint64_t mapping_id = message.Uint();
        if (mapping_id != 0) location.mapping = mapping_ids_.Find(mapping_id);
        break;
      }
      case wire::Location::kAddress:
        location.address = message.Uint();
        break;
      case wire::Location::kLine: {
        if (profile_.lines.size() == limits_.max_entries) {
          return TooMany("lines", limits_.max_entries);
        }
        WireReader line(message.Bytes());
        Profile::Line& added = profile_.lines.emplace_back();
        while (line.Next()) {
          if (line.field() == wire::Line::kFunctionId) {
            added.function = function_ids_.Find(line.Uint());
          } else if (line.field() == wire::Line::kLine) {
            added.line = line.Int();
          }
        }
        STOKER_RETURN_IF_ERROR(Sound(line));
        break;
      }
      case wire::Location::kIsFolded:
        location.is_folded = message.Uint() != 0;
        break;
      default:
        break;
    }
  }
  STOKER_RETURN_IF_ERROR(Sound(message));
  if (id == 0) return InvalidArgument("location id is 0");
  location.lines.count = static_cast<std::uint32_t>(profile_.lines.size()) - location.lines.first;
  location_ids_.Add(id);
  profile_.locations.push_back(location);
  return absl::OkStatus();
}

absl::Status MessageReader::ReadSamples() {
  WireReader message(*profile_.bytes);
  while (message.Next()) {
    if (message.field() != wire::Profile::kSample) continue;
    if (profile_.samples.size() == limits_.max_samples) {
      return TooMany("samples", limits_.max_samples);
    }
    STOKER_RETURN_IF_ERROR(ReadSample(WireReader(message.Bytes())));
  }
  return absl::OkStatus();
}

absl::Status MessageReader::ReadSample(WireReader message) {
  Profile::Sample sample;
  std::vector<std::uint32_t>& stacks = profile_.stacks;
  const std::size_t first_value = profile_.values.size();
  const std::size_t values = profile_.sample_types.size();
  sample.stack.first = static_cast<std::uint32_t>(profile_.stacks.size());
  sample.labels.first = static_cast<std::uint32_t>(profile_.labels.size());
  bool fits = true;
  while (fits && message.Next()) {
    switch (message.field()) {
      case wire::Sample::kLocationId:
        message.ForEachNumber([&](std::uint64_t id) {
          fits = stacks.size() < limits_.max_stack_frames;
          if (fits) stacks.push_back(location_ids_.Find(id));
          return fits;
        });
        break;
      case wire::Sample::kValue:
        if (!message.AppendTo(profile_.values, first_value + values)) {
          return InvalidArgument("sample value length mismatch");
        }
        break;
      case wire::Sample::kLabel:
        STOKER_RETURN_IF_ERROR(ReadLabel(WireReader(message.Bytes())));
        break;
      default:
        break;
    }
  }
  STOKER_RETURN_IF_ERROR(Sound(message));
  if (!fits) return TooMany("frames in its stacks", limits_.max_stack_frames);
  if (profile_.values.size() != first_value + values) {
    return InvalidArgument("sample value length mismatch");
  }
  // The leaf comes first and is what a stack too deep loses.
  const std::size_t depth = stacks.size() - sample.stack.first;
  if (depth > limits_.max_depth) {
    const auto leaf = stacks.begin() + sample.stack.first;
    stacks.erase(leaf, leaf + static_cast<std::ptrdiff_t>(depth - limits_.max_depth));
  }
  sample.stack.count = static_cast<std::uint32_t>(stacks.size()) - sample.stack.first;
  sample.labels.count = static_cast<std::uint32_t>(profile_.labels.size()) - sample.labels.first;
  profile_.samples.push_back(sample);
  return absl::OkStatus();
}

absl::Status MessageReader::ReadLabel(WireReader message) {
  if (profile_.labels.size() == limits_.max_entries) {
    return TooMany("sample labels", limits_.max_entries);
  }
  Profile::Label label;
  while (message.Next()) {
    switch (message.field()) {
      case wire::Label::kKey:
        label.key = Index(message.Int());
        break;
      case wire::Label::kStr:
        label.str = Index(message.Int());
        break;
      case wire::Label::kNum:
        label.num = message.Int();
        break;
      case wire::Label::kNumUnit:
        label.num_unit = Index(message.Int());
        break;
      default:
        break;
    }
  }
  STOKER_RETURN_IF_ERROR(Sound(message));
  if (!InTable(label.key) || !InTable(label.str) || !InTable(label.num_unit)) {
    return InvalidArgument("sample label string index out of range");
  }
  profile_.labels.push_back(label);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Profile> Read(std::string_view bytes, const ReadLimits& limits) {
  if (IsGzip(bytes)) {
    STOKER_ASSIGN_OR_RETURN(std::string inflated, Gunzip(bytes, limits.max_bytes));
    return ReadInflated(std::move(inflated), limits);
  }
  if (bytes.size() > limits.max_bytes) {
    return ResourceExhausted("profile is larger than {} bytes", limits.max_bytes);
  }
  return ReadInflated(std::string(bytes), limits);
}

absl::StatusOr<Profile> ReadInflated(std::string bytes, const ReadLimits& limits) {
  Profile profile;
  profile.bytes = std::make_unique<const std::string>(std::move(bytes));
  STOKER_RETURN_IF_ERROR(MessageReader(profile, limits).Run());
  return profile;
}

}  // namespace stoker::pprof
