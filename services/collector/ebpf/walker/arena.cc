#include "services/collector/ebpf/walker/arena.h"

#include <iterator>

namespace stoker::ebpf::walker {
namespace {

constexpr std::uint32_t kChunkUnits = 1 << STOKER_UNWIND_CHUNK_UNIT_BITS;
constexpr std::uint32_t kUnitBytes = 1 << STOKER_UNWIND_UNIT_BITS;
// Places that mean something else.
constexpr std::uint32_t kReservedUnits = STOKER_UNWIND_NO_ROWS + 1;

std::uint32_t Units(std::size_t bytes) {
  return static_cast<std::uint32_t>((bytes + kUnitBytes - 1) / kUnitBytes);
}

}  // namespace

std::uint32_t Arena::Allocate(std::size_t bytes) {
  const std::uint32_t units = Units(bytes);
  if (units == 0 || units > kChunkUnits) return 0;
  while (true) {
    for (auto range = free_.begin(); range != free_.end(); ++range) {
      const auto [place, size] = *range;
      if (size < units) continue;
      free_.erase(range);
      if (size > units) free_.emplace(place + units, size - units);
      used_units_ += units;
      return place;
    }
    if (chunks_ >= memory_.max_chunks() || memory_.Chunk(chunks_) == nullptr) return 0;
    const std::uint32_t reserved = chunks_ == 0 ? kReservedUnits : 0;
    free_.emplace(chunks_ * kChunkUnits + reserved, kChunkUnits - reserved);
    ++chunks_;
  }
}

void Arena::Free(std::uint32_t place, std::size_t bytes, absl::Duration now) {
  freed_.push_back({.place = place, .units = Units(bytes), .when = now});
  used_units_ -= Units(bytes);
}

void Arena::Reclaim(absl::Duration now) {
  while (!freed_.empty() && now - freed_.front().when >= kQuarantine) {
    Return(freed_.front().place, freed_.front().units);
    freed_.pop_front();
  }
}

void Arena::Return(std::uint32_t place, std::uint32_t units) {
  const auto after = free_.lower_bound(place);
  if (after != free_.begin()) {
    const auto before = std::prev(after);
    const bool touches = before->first + before->second == place;
    if (touches && place % kChunkUnits != 0) {
      place = before->first;
      units += before->second;
      free_.erase(before);
    }
  }
  const std::uint32_t end = place + units;
  if (after != free_.end() && after->first == end && end % kChunkUnits != 0) {
    units += after->second;
    free_.erase(after);
  }
  free_.emplace(place, units);
}

std::uint8_t* Arena::At(std::uint32_t place) {
  std::uint8_t* chunk = memory_.Chunk(place / kChunkUnits);
  return chunk == nullptr ? nullptr : chunk + std::size_t{place % kChunkUnits} * kUnitBytes;
}

}  // namespace stoker::ebpf::walker
