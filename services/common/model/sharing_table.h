#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

namespace stoker::model {

// What new things push old ones out of a full place.
enum class Admission {
  // Each: equal things follow each other closely.
  kAlways,
  // What is missed twice in a row there: most things come once, and push nothing out.
  kSecondTime,
};

// Finds again what was made before, so that equal things are held once: a table of a fixed size
// that forgets. It holds at most four times kBuckets things, also such as nobody else holds any
// more; what it forgot is made a second time, which costs memory and is never wrong. Thread-safe.
//
// Held: a handle, copied for a count, with empty(). Made for static storage: it takes no memory
// before it is used, and is never destroyed, since threads may use it to the end.
template <typename Held, std::size_t kBuckets, Admission kAdmission>
class SharingTable {
  static_assert((kBuckets & (kBuckets - 1)) == 0, "a power of two");

 public:
  constexpr SharingTable() : buckets_() {}
  ~SharingTable() {}  // NOLINT(modernize-use-equals-default): the buckets stay
  SharingTable(const SharingTable&) = delete;
  SharingTable& operator=(const SharingTable&) = delete;

  // What was made before of this hash that `equal` accepts, else what `make` gives.
  template <typename Equal, typename Make>
  Held Find(std::uint64_t hash, const Equal& equal, const Make& make) {
    Bucket& bucket = buckets_[hash & (kBuckets - 1)];
    const auto mark = static_cast<std::uint32_t>(hash >> 32);
    const std::lock_guard lock(bucket.mutex);
    std::size_t free = bucket.held.size();
    for (std::size_t i = 0; i < bucket.held.size(); ++i) {
      if (bucket.held[i].empty()) {
        free = i;
      } else if (bucket.marks[i] == mark && equal(bucket.held[i])) {
        return bucket.held[i];
      }
    }
    Held made = make();
    if (free == bucket.held.size()) {
      const bool again = std::exchange(bucket.missed, mark) == mark;
      if (kAdmission == Admission::kSecondTime && !again) return made;
      free = bucket.next++ % bucket.held.size();
    }
    bucket.marks[free] = mark;
    bucket.held[free] = made;
    return made;
  }

 private:
  static constexpr std::size_t kPlaces = 4;
  struct Bucket {
    // Guards the rest. Of the standard library: it is held for some instructions, a hundred times
    // for each target, and absl's costs several times as much where that looks for deadlocks.
    std::mutex mutex;
    std::array<Held, kPlaces> held;
    std::array<std::uint32_t, kPlaces> marks = {};
    // The mark that was missed last, and who goes next.
    std::uint32_t missed = 0;
    std::uint32_t next = 0;
  };
  union {
    std::array<Bucket, kBuckets> buckets_;
  };
};

}  // namespace stoker::model
