#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "proto/sample/v1/sample.pb.h"

namespace stoker::wire {

// Encodes batches for one stream. A batch comes self-contained, as if it were the first of a stream
// (`reset`, its own dictionaries); it goes out with what the stream has not had yet. Used by one
// thread.
class RawStackEncoder {
 public:
  // Entries of the dictionaries together, after which they start anew.
  explicit RawStackEncoder(std::size_t max_entries = std::size_t{1} << 18)
      : max_entries_(max_entries) {}

  // Every number of `batch` must be one of its own dictionaries.
  sample::v1::RawStackBatch Encode(const sample::v1::RawStackBatch& batch);

 private:
  // Numbers of one dictionary, by what an entry says in the stream's own numbers.
  using Numbers = std::unordered_map<std::string, std::uint32_t>;
  // The stream's number of each number of the batch.
  using Renumbering = std::vector<std::uint32_t>;

  void Reset();
  Renumbering Strings(const sample::v1::RawStackBatch& batch, sample::v1::RawStackBatch& out);
  Renumbering Mappings(const sample::v1::RawStackBatch& batch, const Renumbering& strings,
                       sample::v1::RawStackBatch& out);
  Renumbering Frames(const sample::v1::RawStackBatch& batch, const Renumbering& strings,
                     const Renumbering& mappings, sample::v1::RawStackBatch& out);
  Renumbering Stacks(const sample::v1::RawStackBatch& batch, const Renumbering& frames,
                     sample::v1::RawStackBatch& out);

  const std::size_t max_entries_;
  Numbers strings_;
  Numbers mappings_;
  Numbers frames_;
  Numbers stacks_;
  bool first_ = true;
};

}  // namespace stoker::wire
