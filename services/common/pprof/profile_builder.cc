#include "services/common/pprof/profile_builder.h"

#include <algorithm>
#include <utility>

#include <protozero/pbf_writer.hpp>
#include <xxhash.h>

#include "services/common/pprof/gzip.h"
#include "services/common/pprof/wire.h"

namespace stoker::pprof {
namespace {

void AddNonZero(protozero::pbf_writer& writer, std::uint32_t field, std::uint64_t value) {
  if (value != 0) writer.add_uint64(field, value);
}

}  // namespace

ProfileBuilder::ProfileBuilder() { out_.reserve(64 << 10); }

bool ProfileBuilder::Distinct::Insert(std::span<const std::uint64_t> key, std::uint64_t& id) {
  const auto next = static_cast<std::uint32_t>(starts_.size() - 1);
  const auto found = index_.FindOrInsert(
      XXH3_64bits(key.data(), key.size_bytes()), next, [&](std::uint32_t number) {
        const std::size_t size = starts_[number + 1] - starts_[number];
        return size == key.size() && std::equal(key.begin(), key.end(), &pool_[starts_[number]]);
      });
  id = found.number + 1;
  if (!found.inserted) return false;
  pool_.insert(pool_.end(), key.begin(), key.end());
  starts_.push_back(pool_.size());
  return true;
}

void ProfileBuilder::AddValueType(std::uint32_t field, std::string_view type,
                                  std::string_view unit) {
  scratch_.clear();
  protozero::pbf_writer writer(scratch_);
  AddNonZero(writer, wire::ValueType::kType, strings_.Intern(type));
  AddNonZero(writer, wire::ValueType::kUnit, strings_.Intern(unit));
  protozero::pbf_writer(out_).add_message(field, scratch_);
}

void ProfileBuilder::AddSampleType(std::string_view type, std::string_view unit) {
  AddValueType(wire::Profile::kSampleType, type, unit);
}

void ProfileBuilder::SetPeriod(std::string_view type, std::string_view unit, std::int64_t period) {
  if (!type.empty()) AddValueType(wire::Profile::kPeriodType, type, unit);
  protozero::pbf_writer(out_).add_int64(wire::Profile::kPeriod, period);
}

void ProfileBuilder::SetTime(std::int64_t time_nanos, std::int64_t duration_nanos) {
  protozero::pbf_writer writer(out_);
  writer.add_int64(wire::Profile::kTimeNanos, time_nanos);
  writer.add_int64(wire::Profile::kDurationNanos, duration_nanos);
}

void ProfileBuilder::SetDefaultSampleType(std::string_view type) {
  protozero::pbf_writer(out_).add_int64(wire::Profile::kDefaultSampleType, strings_.Intern(type));
}

void ProfileBuilder::SetDropFrames(std::string_view regex) {
  protozero::pbf_writer(out_).add_int64(wire::Profile::kDropFrames, strings_.Intern(regex));
}

void ProfileBuilder::SetKeepFrames(std::string_view regex) {
  protozero::pbf_writer(out_).add_int64(wire::Profile::kKeepFrames, strings_.Intern(regex));
}

void ProfileBuilder::AddComment(std::string_view text) {
  protozero::pbf_writer(out_).add_int64(wire::Profile::kComment, strings_.Intern(text));
}

std::uint64_t ProfileBuilder::AddMapping(const Mapping& mapping) {
  const std::uint64_t filename = strings_.Intern(mapping.filename);
  const std::uint64_t build_id = strings_.Intern(mapping.build_id);
  const std::uint64_t flags =
      (mapping.has_functions ? 1u : 0u) | (mapping.has_filenames ? 2u : 0u) |
      (mapping.has_line_numbers ? 4u : 0u) | (mapping.has_inline_frames ? 8u : 0u);
  key_ = {mapping.start, mapping.limit, mapping.offset, filename, build_id, flags};
  std::uint64_t id = 0;
  if (!mappings_.Insert(key_, id)) return id;
  scratch_.clear();
  protozero::pbf_writer writer(scratch_);
  writer.add_uint64(wire::Mapping::kId, id);
  AddNonZero(writer, wire::Mapping::kMemoryStart, mapping.start);
  AddNonZero(writer, wire::Mapping::kMemoryLimit, mapping.limit);
  AddNonZero(writer, wire::Mapping::kFileOffset, mapping.offset);
  AddNonZero(writer, wire::Mapping::kFilename, filename);
  AddNonZero(writer, wire::Mapping::kBuildId, build_id);
  AddNonZero(writer, wire::Mapping::kHasFunctions, mapping.has_functions);
  AddNonZero(writer, wire::Mapping::kHasFilenames, mapping.has_filenames);
  AddNonZero(writer, wire::Mapping::kHasLineNumbers, mapping.has_line_numbers);
  AddNonZero(writer, wire::Mapping::kHasInlineFrames, mapping.has_inline_frames);
  protozero::pbf_writer(out_).add_message(wire::Profile::kMapping, scratch_);
  return id;
}

std::uint64_t ProfileBuilder::AddFunction(const Function& function) {
  const std::uint64_t name = strings_.Intern(function.name);
  const std::uint64_t system_name =
      function.system_name.empty() ? name : strings_.Intern(function.system_name);
  const std::uint64_t filename = strings_.Intern(function.filename);
  key_ = {name, system_name, filename, static_cast<std::uint64_t>(function.start_line)};
  std::uint64_t id = 0;
  if (!functions_.Insert(key_, id)) return id;
  scratch_.clear();
  protozero::pbf_writer writer(scratch_);
  writer.add_uint64(wire::Function::kId, id);
  AddNonZero(writer, wire::Function::kName, name);
  AddNonZero(writer, wire::Function::kSystemName, system_name);
  AddNonZero(writer, wire::Function::kFilename, filename);
  AddNonZero(writer, wire::Function::kStartLine, static_cast<std::uint64_t>(function.start_line));
  protozero::pbf_writer(out_).add_message(wire::Profile::kFunction, scratch_);
  return id;
}

std::uint64_t ProfileBuilder::AddLocation(std::uint64_t mapping_id, std::uint64_t address,
                                          std::span<const Line> lines, bool is_folded) {
  key_ = {mapping_id, address, is_folded ? 1u : 0u};
  for (const Line& line : lines) {
    key_.push_back(line.function_id);
    key_.push_back(static_cast<std::uint64_t>(line.line));
  }
  std::uint64_t id = 0;
  if (!locations_.Insert(key_, id)) return id;
  scratch_.clear();
  protozero::pbf_writer writer(scratch_);
  writer.add_uint64(wire::Location::kId, id);
  AddNonZero(writer, wire::Location::kMappingId, mapping_id);
  AddNonZero(writer, wire::Location::kAddress, address);
  for (const Line& line : lines) {
    inner_.clear();
    protozero::pbf_writer inner(inner_);
    AddNonZero(inner, wire::Line::kFunctionId, line.function_id);
    AddNonZero(inner, wire::Line::kLine, static_cast<std::uint64_t>(line.line));
    writer.add_message(wire::Location::kLine, inner_);
  }
  AddNonZero(writer, wire::Location::kIsFolded, is_folded);
  protozero::pbf_writer(out_).add_message(wire::Profile::kLocation, scratch_);
  return id;
}

void ProfileBuilder::AddSample(std::span<const std::uint64_t> location_ids,
                               std::span<const std::int64_t> values,
                               std::span<const Label> labels) {
  scratch_.clear();
  protozero::pbf_writer writer(scratch_);
  writer.add_packed_uint64(wire::Sample::kLocationId, location_ids.begin(), location_ids.end());
  writer.add_packed_int64(wire::Sample::kValue, values.begin(), values.end());
  for (const Label& label : labels) {
    inner_.clear();
    protozero::pbf_writer inner(inner_);
    AddNonZero(inner, wire::Label::kKey, strings_.Intern(label.key));
    AddNonZero(inner, wire::Label::kStr, strings_.Intern(label.str));
    AddNonZero(inner, wire::Label::kNum, static_cast<std::uint64_t>(label.num));
    AddNonZero(inner, wire::Label::kNumUnit, strings_.Intern(label.num_unit));
    writer.add_message(wire::Sample::kLabel, inner_);
  }
  protozero::pbf_writer(out_).add_message(wire::Profile::kSample, scratch_);
  ++samples_;
}

std::size_t ProfileBuilder::size() const {
  // Tag and length of a string take at most six bytes.
  return out_.size() + strings_.bytes() + 6 * strings_.size();
}

std::string ProfileBuilder::Finish() && {
  protozero::pbf_writer writer(out_);
  for (std::uint32_t i = 0; i < strings_.size(); ++i) {
    const std::string_view text = strings_.Get(i);
    writer.add_string(wire::Profile::kStringTable, text.data(), text.size());
  }
  return std::move(out_);
}

std::string ProfileBuilder::FinishGzip() && { return Gzip(std::move(*this).Finish()); }

}  // namespace stoker::pprof
