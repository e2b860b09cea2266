// Proves that places do not overlap or cross chunks, that freed ones come back only after a while
// and then whole, and that the end of the memory is an answer.
#include "services/collector/ebpf/walker/arena.h"

#include <map>

#include <gtest/gtest.h>

#include "services/collector/ebpf/walker/heap_memory.h"

namespace stoker::ebpf::walker {
namespace {

constexpr absl::Duration kLater = Arena::kQuarantine;

TEST(Arena, PlacesDoNotOverlapOrCrossChunks) {
  HeapMemory memory(4);
  Arena arena(memory);
  std::map<std::uint64_t, std::uint64_t> taken;
  for (std::size_t bytes = 1;; bytes = bytes * 7 % 9973) {
    const std::uint32_t place = arena.Allocate(bytes);
    if (place == 0) break;
    EXPECT_GT(place, static_cast<std::uint32_t>(STOKER_UNWIND_NO_ROWS));
    const std::uint64_t start = std::uint64_t{place} * 16;
    EXPECT_EQ(start / STOKER_UNWIND_CHUNK_BYTES, (start + bytes - 1) / STOKER_UNWIND_CHUNK_BYTES);
    const auto after = taken.lower_bound(start);
    if (after != taken.end()) {
      EXPECT_LE(start + bytes, after->first);
    }
    if (after != taken.begin()) {
      EXPECT_LE(std::prev(after)->second, start);
    }
    taken[start] = start + bytes;
  }
  EXPECT_GT(arena.used_bytes(), 3u * STOKER_UNWIND_CHUNK_BYTES);
}

TEST(Arena, WhatIsFreedComesBackWholeAfterAWhile) {
  HeapMemory memory(2);
  Arena arena(memory);
  std::vector<std::uint32_t> places;
  while (const std::uint32_t place = arena.Allocate(4096)) places.push_back(place);
  // Two units of the first chunk are kept back, so a page less finds room there.
  ASSERT_EQ(places.size(), 31u);
  for (const std::uint32_t place : places) arena.Free(place, 4096, absl::ZeroDuration());
  EXPECT_EQ(arena.used_bytes(), 0u);
  arena.Reclaim(kLater - absl::Milliseconds(1));
  EXPECT_EQ(arena.Allocate(4096), 0u);
  arena.Reclaim(kLater);
  EXPECT_NE(arena.Allocate(STOKER_UNWIND_CHUNK_BYTES), 0u);
  EXPECT_EQ(arena.Allocate(STOKER_UNWIND_CHUNK_BYTES), 0u);
}

TEST(Arena, RefusesWhatNoChunkHolds) {
  HeapMemory memory;
  Arena arena(memory);
  EXPECT_EQ(arena.Allocate(STOKER_UNWIND_CHUNK_BYTES + 1), 0u);
  EXPECT_EQ(arena.Allocate(0), 0u);
}

}  // namespace
}  // namespace stoker::ebpf::walker
