#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "services/common/model/labels.h"
#include "services/common/model/text.h"

namespace stoker::model {

// What label sets are made of in memory; for Labels and LabelEditor only.

// A pointer to a Thing that is freed with the last copy. Thing: `holders`, which begins with 1, and
// `Free`.
template <typename Thing>
class Counted {
 public:
  constexpr Counted() noexcept = default;
  // Takes over a holder.
  explicit Counted(Thing* thing) noexcept : thing_(thing) {}
  Counted(const Counted& other) noexcept : thing_(other.thing_) {
    if (thing_ != nullptr) thing_->holders.fetch_add(1, std::memory_order_relaxed);
  }
  Counted(Counted&& other) noexcept : thing_(std::exchange(other.thing_, nullptr)) {}
  Counted& operator=(Counted other) noexcept {
    std::swap(thing_, other.thing_);
    return *this;
  }
  ~Counted() {
    if (thing_ == nullptr) return;
    if (thing_->holders.fetch_sub(1, std::memory_order_acq_rel) == 1) Thing::Free(thing_);
  }

  [[nodiscard]] Thing* get() const { return thing_; }
  Thing* operator->() const { return thing_; }
  [[nodiscard]] bool empty() const { return thing_ == nullptr; }

 private:
  Thing* thing_ = nullptr;
};

// Values that sets have in common.
struct alignas(Text) CommonValues {
  std::atomic<std::uint32_t> holders = 1;
  std::uint32_t size = 0;

  // The values follow it.
  [[nodiscard]] const Text* values() const { return reinterpret_cast<const Text*>(this + 1); }

  static CommonValues* New(const TextRef* values, std::size_t size);
  static void Free(CommonValues* values);
};

// The names of a label set, in their order, and where the value of each stands.
struct alignas(Text) LabelLayout {
  std::atomic<std::uint32_t> holders = 1;
  std::uint32_t size = 0;
  // How many of the values stand in the common part.
  std::uint32_t common = 0;

  struct Field {
    Text name;
    // Below `common` of the common part; above it of the set's own values.
    std::uint32_t place = 0;
  };
  // They follow it.
  [[nodiscard]] const Field* fields() const { return reinterpret_cast<const Field*>(this + 1); }
  static void Free(LabelLayout* layout);
};

struct Labels::Block {
  std::atomic<std::uint32_t> holders = 1;
  // Of the own values.
  std::uint32_t size = 0;
  Counted<LabelLayout> layout;
  // Empty where the layout puts nothing there.
  Counted<CommonValues> common;

  // They follow it.
  [[nodiscard]] const Text* values() const { return reinterpret_cast<const Text*>(this + 1); }
  [[nodiscard]] const Text& ValueOf(const LabelLayout::Field& field) const {
    const std::uint32_t shared = layout->common;
    return field.place < shared ? common->values()[field.place] : values()[field.place - shared];
  }
  static void Free(Block* block);
};

}  // namespace stoker::model
