#include "services/store/block_builder.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

#include "services/common/base/status.h"
#include "services/store/block_file.h"
#include "services/store/symbol_codec.h"
#include "services/store/varint.h"

namespace stoker::store {

void BlockBuilder::AddProfile(SeriesId series, std::int64_t time_nanos,
                              std::vector<StackValue>& samples) {
  Row row = {.profile = {.series = series, .time_nanos = time_nanos}, .offset = samples_.size()};
  row.profile.total = EncodeSamples(samples, samples_);
  row.size = samples_.size() - row.offset;
  rows_.push_back(row);
}

// For each series: number of labels, then name and value with their lengths.
std::string BlockBuilder::EncodeSeries(const std::vector<SeriesBounds>& series) const {
  std::string out;
  PutVarint(series.size(), out);
  for (const SeriesBounds& one : series) {
    const auto labels = catalog_.Get(one.series);
    PutVarint(labels->size(), out);
    for (const model::LabelView label : *labels) {
      PutVarint(label.name.size(), out);
      out += label.name;
      PutVarint(label.value.size(), out);
      out += label.value;
    }
  }
  return out;
}

// Columns: index of the series (the step from the row before), time (likewise), total, bytes of
// samples.
std::string BlockBuilder::EncodeRows(const std::vector<SeriesBounds>& series) const {
  std::string out;
  PutVarint(rows_.size(), out);
  std::size_t index = 0;
  std::size_t previous_index = 0;
  for (const Row& row : rows_) {
    while (series[index].series != row.profile.series) ++index;
    PutVarint(index - previous_index, out);
    previous_index = index;
  }
  std::int64_t previous_time = 0;
  for (const Row& row : rows_) {
    PutSigned(row.profile.time_nanos - previous_time, out);
    previous_time = row.profile.time_nanos;
  }
  for (const Row& row : rows_) PutSigned(row.profile.total, out);
  for (const Row& row : rows_) PutVarint(row.size, out);
  return out;
}

absl::StatusOr<BlockInfo> BlockBuilder::Write(const std::string& path) && {
  std::ranges::sort(rows_, {}, [](const Row& row) {
    return std::make_tuple(row.profile.series, row.profile.time_nanos);
  });
  BlockInfo info = {.profiles = rows_.size()};
  for (const Row& row : rows_) {
    if (info.series.empty() || info.series.back().series != row.profile.series) {
      info.series.push_back({.series = row.profile.series});
    }
    info.series.back().bounds.Add(row.profile.time_nanos);
    info.bounds.Add(row.profile.time_nanos);
  }
  std::ranges::sort(keys_);
  std::string keys(keys_.size() * sizeof(ProfileKey), '\0');
  if (!keys_.empty()) std::memcpy(keys.data(), keys_.data(), keys.size());

  BlockFileWriter file;
  file.Add(EncodeSymbols(symbols_));
  file.Add(EncodeSeries(info.series));
  file.Add(EncodeRows(info.series));
  file.Add(keys);
  // A section of samples ends with the row that fills it; the reader finds the ends the same way.
  std::string section;
  for (const Row& row : rows_) {
    section.append(samples_, row.offset, row.size);
    if (section.size() < kSampleSectionBytes) continue;
    file.Add(section);
    section.clear();
  }
  if (!section.empty()) file.Add(section);
  STOKER_ASSIGN_OR_RETURN(info.bytes, std::move(file).Write(path));
  return info;
}

}  // namespace stoker::store
