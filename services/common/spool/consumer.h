#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/common/spool/segment.h"
#include "services/common/spool/segment_reader.h"

namespace stoker::spool {

// By number.
using Segments = std::map<std::uint64_t, Segment>;

// One reader of a spool: how far it has read, and which of the records handed to it are still
// open. Guarded by the spool's lock, but for `reader`, which belongs to the thread that reads.
class Consumer {
 public:
  // `cursor`: the sequence up to which it is done.
  Consumer(std::string name, std::uint64_t cursor);

  // A record that was handed out.
  struct Item {
    std::uint64_t sequence = 0;
    std::uint64_t samples = 0;
    std::uint64_t segment = 0;
    bool done = false;
  };

  // Adds what was read, and that everything below `segment` has been.
  void HandOut(const std::vector<Item>& items, std::uint64_t segment);
  // Marks the item; returns those by which the cursor advances.
  std::vector<Item> Done(std::uint64_t sequence);
  // Whether the record was handed out and is not done.
  [[nodiscard]] bool Holds(std::uint64_t sequence) const;
  // Forgets what it holds of a segment that is gone.
  void Forget(std::uint64_t segment);
  // Whether nothing of the segment is left to read or to finish.
  [[nodiscard]] bool IsPast(std::uint64_t segment) const;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint64_t cursor() const { return cursor_; }
  // Records up to this one were finished in an earlier life.
  [[nodiscard]] std::uint64_t start() const { return start_; }
  // Everything below this segment has been read.
  [[nodiscard]] std::uint64_t segment() const { return segment_; }
  [[nodiscard]] std::size_t open() const { return window_.size(); }

  std::unique_ptr<SegmentReader> reader;
  // Reads that failed in a row at one place.
  int failures = 0;

 private:
  [[nodiscard]] std::deque<Item>::const_iterator Find(std::uint64_t sequence) const;

  const std::string name_;
  const std::uint64_t start_;
  std::uint64_t cursor_;
  std::uint64_t segment_ = 0;
  std::deque<Item> window_;
};

}  // namespace stoker::spool
