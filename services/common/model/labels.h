#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/common/model/text.h"

namespace stoker::model {

// A label of its own.
struct Label {
  std::string name;
  std::string value;
  auto operator<=>(const Label&) const = default;
};

// A label of a label set; it holds as long as the set is not changed.
struct LabelView {
  std::string_view name;
  std::string_view value;
  auto operator<=>(const LabelView&) const = default;
  explicit operator Label() const { return {std::string(name), std::string(value)}; }
};

// A label set: sorted by name, names unique, no empty values (a label set to "" is no label).
//
// A pointer: copies share one block that does not change, and blocks share their texts, the list of
// their names and the part of their values that targets of one object have in common (see
// docs/design/0010-label-sets.md). Set and Erase make a new block; a LabelEditor makes one for many
// changes. Copies may be used by any thread; one Labels is used as any value is.
class Labels {
 public:
  Labels() = default;
  // Of equal names the last wins.
  Labels(std::initializer_list<Label> labels);
  explicit Labels(std::vector<Label> labels);

  Labels(const Labels& other) noexcept;
  Labels(Labels&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Labels& operator=(Labels other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Labels();

  // The value, or "" when there is none; it holds as long as the set is not changed.
  [[nodiscard]] std::string_view Get(std::string_view name) const;
  [[nodiscard]] bool Has(std::string_view name) const;
  // An empty value erases.
  void Set(std::string_view name, std::string_view value);
  void Erase(std::string_view name);

  class Iterator;
  [[nodiscard]] Iterator begin() const;
  [[nodiscard]] Iterator end() const;
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool empty() const { return block_ == nullptr; }

  // `{a="x", b="y"}`, values quoted and escaped.
  [[nodiscard]] std::string ToString() const;

  friend bool operator==(const Labels& a, const Labels& b);
  friend std::strong_ordering operator<=>(const Labels& a, const Labels& b);

 private:
  friend class LabelEditor;
  struct Block;
  explicit Labels(Block* block) noexcept : block_(block) {}

  [[nodiscard]] LabelView At(std::size_t index) const;

  // Null: no labels.
  Block* block_ = nullptr;
};

class Labels::Iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using iterator_concept = std::random_access_iterator_tag;
  using value_type = LabelView;
  using difference_type = std::ptrdiff_t;
  using reference = LabelView;
  struct pointer {
    LabelView label;
    const LabelView* operator->() const { return &label; }
  };

  Iterator() = default;

  LabelView operator*() const { return labels_->At(index_); }
  pointer operator->() const { return {**this}; }
  LabelView operator[](difference_type n) const { return *(*this + n); }
  Iterator& operator+=(difference_type n) {
    index_ += static_cast<std::size_t>(n);
    return *this;
  }
  Iterator& operator-=(difference_type n) { return *this += -n; }
  Iterator& operator++() { return *this += 1; }
  Iterator& operator--() { return *this -= 1; }
  Iterator operator++(int) { return std::exchange(*this, *this + 1); }
  Iterator operator--(int) { return std::exchange(*this, *this - 1); }
  friend Iterator operator+(Iterator it, difference_type n) { return it += n; }
  friend Iterator operator+(difference_type n, Iterator it) { return it += n; }
  friend Iterator operator-(Iterator it, difference_type n) { return it -= n; }
  friend difference_type operator-(const Iterator& a, const Iterator& b) {
    return static_cast<difference_type>(a.index_) - static_cast<difference_type>(b.index_);
  }
  friend bool operator==(const Iterator& a, const Iterator& b) { return a.index_ == b.index_; }
  friend auto operator<=>(const Iterator& a, const Iterator& b) { return a.index_ <=> b.index_; }

 private:
  friend class Labels;
  Iterator(const Labels* labels, std::size_t index) : labels_(labels), index_(index) {}

  const Labels* labels_ = nullptr;
  std::size_t index_ = 0;
};

inline Labels::Iterator Labels::begin() const { return {this, 0}; }
inline Labels::Iterator Labels::end() const { return {this, size()}; }

}  // namespace stoker::model
