#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "services/store/part.h"
#include "services/store/series_catalog.h"
#include "services/store/symbols.h"

namespace stoker::store {

// The series of a block and when they have profiles there.
struct SeriesBounds {
  SeriesId series = 0;
  TimeBounds bounds;
};

// What the database keeps of a block.
struct BlockInfo {
  // Names its file.
  std::uint64_t id = 0;
  TimeBounds bounds;
  std::uint64_t bytes = 0;
  std::uint64_t profiles = 0;
  // By series id.
  std::vector<SeriesBounds> series;
};

// Makes a block: sections of symbols, series, rows, keys, then of the rows' samples. Rows are
// sorted by series and time, so a query of one series reads few sections.
class BlockBuilder {
 public:
  // Sections before the samples'.
  enum Section : std::uint32_t { kSymbols, kSeries, kRows, kKeys, kFirstSamples };

  // A section of samples ends with the row that makes it this large.
  static constexpr std::size_t kSampleSectionBytes = 128 << 10;

  // `catalog` is borrowed and knows every series added.
  explicit BlockBuilder(const SeriesCatalog& catalog) : catalog_(catalog) {}

  // Where the stacks of profiles to add are entered.
  [[nodiscard]] Symbols& symbols() { return symbols_; }

  // `samples` are of symbols(); sorted in place.
  void AddProfile(SeriesId series, std::int64_t time_nanos, std::vector<StackValue>& samples);
  void AddKey(const ProfileKey& key) { keys_.push_back(key); }

  // Writes the file, synced; the result has no id. Used up by it.
  absl::StatusOr<BlockInfo> Write(const std::string& path) &&;

 private:
  struct Row {
    ProfileRow profile;
    std::size_t offset = 0;
    std::size_t size = 0;
  };

  [[nodiscard]] std::string EncodeSeries(const std::vector<SeriesBounds>& series) const;
  [[nodiscard]] std::string EncodeRows(const std::vector<SeriesBounds>& series) const;

  const SeriesCatalog& catalog_;
  Symbols symbols_;
  std::vector<Row> rows_;
  std::string samples_;
  std::vector<ProfileKey> keys_;
};

}  // namespace stoker::store
