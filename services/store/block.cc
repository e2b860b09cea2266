#include "services/store/block.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <unistd.h>

#include "services/common/base/status.h"
#include "services/common/log/log.h"
#include "services/store/symbol_codec.h"
#include "services/store/varint.h"

namespace stoker::store {
namespace {

absl::Status Damaged(std::string_view what) {
  return DataLoss("{} of the block are damaged", what);
}

// The catalog's numbers of the block's series, in its order.
absl::StatusOr<std::vector<SeriesId>> DecodeSeries(std::string_view bytes, SeriesCatalog& catalog) {
  VarintReader reader(bytes);
  std::vector<SeriesId> series(reader.GetBelow(bytes.size() + 1));
  for (SeriesId& id : series) {
    std::vector<model::Label> labels(reader.GetBelow(reader.left() + 1));
    for (model::Label& label : labels) {
      label.name = reader.GetBytes(reader.GetBelow(reader.left() + 1));
      label.value = reader.GetBytes(reader.GetBelow(reader.left() + 1));
    }
    if (!reader.ok()) return Damaged("series");
    id = catalog.Intern(model::Labels(std::move(labels)));
  }
  return series;
}

absl::Status DecodeRows(std::string_view bytes, const std::vector<SeriesId>& series,
                        LoadedBlock& block) {
  VarintReader reader(bytes);
  block.rows.resize(reader.GetBelow(bytes.size() / 4 + 1));
  std::uint64_t index = 0;
  for (std::uint32_t n = 0; n < block.rows.size(); ++n) {
    const std::uint64_t step = reader.Get();
    index += step;
    if (index >= series.size()) return Damaged("rows");
    block.rows[n].profile.series = series[index];
    if (n == 0 || step != 0) block.series.push_back({.series = series[index], .first = n});
    ++block.series.back().count;
  }
  std::int64_t time = 0;
  for (LoadedBlock::Row& row : block.rows) {
    time += reader.GetSigned();
    row.profile.time_nanos = time;
  }
  for (LoadedBlock::Row& row : block.rows) row.profile.total = reader.GetSigned();
  std::uint32_t section = BlockBuilder::kFirstSamples;
  std::uint64_t offset = 0;
  for (LoadedBlock::Row& row : block.rows) {
    row.section = section;
    row.offset = static_cast<std::uint32_t>(offset);
    offset += reader.Get();
    if (offset < BlockBuilder::kSampleSectionBytes) continue;
    offset = 0;
    ++section;
  }
  return reader.ok() ? absl::OkStatus() : Damaged("rows");
}

absl::StatusOr<std::shared_ptr<const LoadedBlock>> Decode(const BlockFile& file,
                                                          SeriesCatalog& catalog) {
  auto block = std::make_shared<LoadedBlock>();
  STOKER_ASSIGN_OR_RETURN(const std::string symbols, file.Read(BlockBuilder::kSymbols));
  STOKER_ASSIGN_OR_RETURN(block->symbols, DecodeSymbols(symbols));
  STOKER_ASSIGN_OR_RETURN(const std::string series_bytes, file.Read(BlockBuilder::kSeries));
  STOKER_ASSIGN_OR_RETURN(const std::vector<SeriesId> series, DecodeSeries(series_bytes, catalog));
  STOKER_ASSIGN_OR_RETURN(const std::string rows, file.Read(BlockBuilder::kRows));
  STOKER_RETURN_IF_ERROR(DecodeRows(rows, series, *block));
  STOKER_ASSIGN_OR_RETURN(const std::string keys, file.Read(BlockBuilder::kKeys));
  if (keys.size() % sizeof(ProfileKey) != 0) return Damaged("keys");
  block->keys.resize(keys.size() / sizeof(ProfileKey));
  if (!keys.empty()) std::memcpy(block->keys.data(), keys.data(), keys.size());
  return std::shared_ptr<const LoadedBlock>(std::move(block));
}

// Reads the sections of samples one after the other, each once.
class SampleReader {
 public:
  explicit SampleReader(const BlockFile& file) : file_(file) {}

  absl::StatusOr<std::string_view> Of(const LoadedBlock::Row& row) {
    if (row.section != section_) {
      STOKER_ASSIGN_OR_RETURN(bytes_, file_.Read(row.section));
      section_ = row.section;
    }
    if (row.offset > bytes_.size()) return Damaged("samples");
    return std::string_view(bytes_).substr(row.offset);
  }

 private:
  const BlockFile& file_;
  // Never a section of samples.
  std::uint32_t section_ = BlockBuilder::kSymbols;
  std::string bytes_;
};

}  // namespace

Block::~Block() {
  cache_.Erase(info_.id);
  if (remove_) ::unlink(path_.c_str());
}

absl::StatusOr<BlockInfo> Block::ReadInfo(const std::string& path, SeriesCatalog& catalog) {
  STOKER_ASSIGN_OR_RETURN(const auto file, BlockFile::Open(path));
  STOKER_ASSIGN_OR_RETURN(const auto block, Decode(*file, catalog));
  BlockInfo info = {.profiles = block->rows.size()};
  for (const LoadedBlock::SeriesRows& rows : block->series) {
    SeriesBounds& series = info.series.emplace_back();
    series.series = rows.series;
    for (std::uint32_t n = rows.first; n < rows.first + rows.count; ++n) {
      series.bounds.Add(block->rows[n].profile.time_nanos);
      info.bounds.Add(block->rows[n].profile.time_nanos);
    }
  }
  return info;
}

absl::StatusOr<std::shared_ptr<const BlockFile>> Block::File() const {
  absl::MutexLock lock(&mutex_);
  if (file_ == nullptr) {
    STOKER_ASSIGN_OR_RETURN(file_, BlockFile::Open(path_));
  }
  return file_;
}

absl::StatusOr<std::shared_ptr<const LoadedBlock>> Block::Load() const {
  if (auto cached = cache_.Get(info_.id)) return cached;
  STOKER_ASSIGN_OR_RETURN(const auto file, File());
  STOKER_ASSIGN_OR_RETURN(const auto block, Decode(*file, catalog_));
  cache_.Put(info_.id, block);
  return block;
}

absl::Status Block::NoteDamage(const absl::Status& status) const {
  const bool damage =
      status.code() == absl::StatusCode::kDataLoss || status.code() == absl::StatusCode::kNotFound;
  if (!damage) return status;
  if (!damaged_.exchange(true)) {
    log::Error("block set aside", {{"file", path_}, {"error", Message(status)}});
  }
  return absl::OkStatus();
}

absl::Status Block::CollectSeries(const TimeRange& range, SeriesSet& series) const {
  if (damaged_) return absl::OkStatus();
  for (const SeriesBounds& one : info_.series) {
    if (one.bounds.Overlaps(range)) series.insert(one.series);
  }
  return absl::OkStatus();
}

void Block::ForEachMatch(const LoadedBlock& block, const SeriesSet& series, const TimeRange& range,
                         const std::function<void(const LoadedBlock::Row&)>& visit) {
  for (const LoadedBlock::SeriesRows& of_series : block.series) {
    if (!series.contains(of_series.series)) continue;
    const auto rows = std::span(block.rows).subspan(of_series.first, of_series.count);
    auto row = std::ranges::lower_bound(
        rows, range.start, {}, [](const LoadedBlock::Row& r) { return r.profile.time_nanos; });
    for (; row != rows.end() && row->profile.time_nanos < range.end; ++row) visit(*row);
  }
}

absl::Status Block::ForEachRow(const SeriesSet& series, const TimeRange& range,
                               const RowVisitor& visit) const {
  if (damaged_) return absl::OkStatus();
  const auto block = Load();
  if (!block.ok()) return NoteDamage(block.status());
  ForEachMatch(**block, series, range, [&](const LoadedBlock::Row& row) { visit(row.profile); });
  return absl::OkStatus();
}

absl::Status Block::SumRows(const LoadedBlock& block, const SeriesSet& series,
                            const TimeRange& range, std::vector<std::int64_t>& sums) const {
  STOKER_ASSIGN_OR_RETURN(const auto file, File());
  SampleReader reader(*file);
  absl::Status status;
  ForEachMatch(block, series, range, [&](const LoadedBlock::Row& row) {
    if (!status.ok()) return;
    if (sums.empty()) sums.resize(block.symbols.stacks().size());
    const auto samples = reader.Of(row);
    status = samples.ok() ? AddSamples(*samples, sums) : samples.status();
  });
  return status;
}

absl::Status Block::Sum(const SeriesSet& series, const TimeRange& range,
                        const SumVisitor& use) const {
  const bool concerned = std::ranges::any_of(info_.series, [&](const SeriesBounds& one) {
    return one.bounds.Overlaps(range) && series.contains(one.series);
  });
  if (damaged_ || !concerned) return absl::OkStatus();
  const auto block = Load();
  if (!block.ok()) return NoteDamage(block.status());
  const auto sums = SumsOf(**block, series, range);
  if (!sums.ok()) return NoteDamage(sums.status());
  if (!(*sums)->empty()) use((*block)->symbols, **sums);
  return absl::OkStatus();
}

absl::StatusOr<SumCache::Sums> Block::SumsOf(const LoadedBlock& block, const SeriesSet& series,
                                             const TimeRange& range) const {
  const bool whole = range.Has(info_.bounds.min) && range.Has(info_.bounds.max);
  SumCache::Key key = {.block = info_.id};
  if (whole) {
    for (const LoadedBlock::SeriesRows& rows : block.series) {
      if (series.contains(rows.series)) key.series.push_back(rows.series);
    }
    std::ranges::sort(key.series);
    if (auto kept = sums_.Get(key)) return kept;
  }
  std::vector<std::int64_t> sums;
  STOKER_RETURN_IF_ERROR(SumRows(block, series, range, sums));
  auto shared = std::make_shared<const std::vector<std::int64_t>>(std::move(sums));
  if (whole) sums_.Put(std::move(key), shared);
  return shared;
}

absl::StatusOr<bool> Block::HasKey(const ProfileKey& key) const {
  if (damaged_) return false;
  const auto block = Load();
  if (!block.ok()) {
    STOKER_RETURN_IF_ERROR(NoteDamage(block.status()));
    return false;
  }
  return std::ranges::binary_search((*block)->keys, key);
}

absl::Status Block::ForEachProfile(const ProfileVisitor& visit,
                                   const std::function<void(const ProfileKey&)>& visit_key) const {
  STOKER_ASSIGN_OR_RETURN(const auto block, Load());
  STOKER_ASSIGN_OR_RETURN(const auto file, File());
  SampleReader reader(*file);
  const auto stacks = static_cast<std::uint32_t>(block->symbols.stacks().size());
  std::vector<StackValue> samples;
  for (const LoadedBlock::Row& row : block->rows) {
    STOKER_ASSIGN_OR_RETURN(const std::string_view bytes, reader.Of(row));
    STOKER_RETURN_IF_ERROR(DecodeSamples(bytes, stacks, samples));
    visit(row.profile, block->symbols, samples);
  }
  for (const ProfileKey& key : block->keys) visit_key(key);
  return absl::OkStatus();
}

}  // namespace stoker::store
