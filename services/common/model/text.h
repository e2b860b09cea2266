#pragma once

#include <atomic>
#include <compare>
#include <concepts>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace stoker::model {

class TextRef;

// A text that does not change and is shared by who holds it: a pointer, copied for a count. Copies
// may be held and dropped by any thread; one Text is used as any value is.
class Text {
 public:
  Text() noexcept = default;
  // A text of its own.
  Text(std::string_view text);  // NOLINT(google-explicit-constructor)
  Text(const std::string& text)
      : Text(std::string_view(text)) {}                     // NOLINT(google-explicit-constructor)
  Text(const char* text) : Text(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  // The same, shared with those who lately asked for it so: for what many have in common.
  static Text Shared(std::string_view text);

  explicit Text(TextRef ref) noexcept;
  Text(const Text& other) noexcept : body_(Take(other.body_)) {}
  Text(Text&& other) noexcept : body_(std::exchange(other.body_, nullptr)) {}
  Text& operator=(Text other) noexcept {
    std::swap(body_, other.body_);
    return *this;
  }
  ~Text() { Drop(body_); }

  // Holds as long as any copy.
  [[nodiscard]] std::string_view view() const { return View(body_); }
  operator std::string_view() const { return view(); }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] std::size_t size() const { return view().size(); }
  [[nodiscard]] bool empty() const { return body_ == nullptr; }

  friend bool operator==(const Text& a, const Text& b) {
    return a.body_ == b.body_ || a.view() == b.view();
  }
  friend auto operator<=>(const Text& a, const Text& b) { return a.view() <=> b.view(); }
  template <std::convertible_to<std::string_view> Other>
  friend bool operator==(const Text& a, const Other& b) {
    return a.view() == std::string_view(b);
  }
  template <std::convertible_to<std::string_view> Other>
  friend auto operator<=>(const Text& a, const Other& b) {
    return a.view() <=> std::string_view(b);
  }
  friend std::ostream& operator<<(std::ostream& out, const Text& text) {
    return out << text.view();
  }
  template <typename H>
  friend H AbslHashValue(H state, const Text& text) {
    const std::string_view view = text.view();
    return H::combine_contiguous(std::move(state), view.data(), view.size());
  }

 private:
  friend class TextRef;
  // The bytes follow it.
  struct Body {
    std::atomic<std::uint32_t> holders;
    std::uint32_t size;
  };
  explicit Text(Body* body) noexcept : body_(body) {}

  static Body* Take(Body* body) noexcept {
    if (body != nullptr) body->holders.fetch_add(1, std::memory_order_relaxed);
    return body;
  }
  static void Drop(Body* body) noexcept {
    if (body != nullptr && body->holders.fetch_sub(1, std::memory_order_acq_rel) == 1) Free(body);
  }
  static void Free(Body* body) noexcept;
  static std::string_view View(const Body* body) {
    if (body == nullptr) return {};
    return {reinterpret_cast<const char*>(body + 1), body->size};
  }

  // Null: the empty text.
  Body* body_ = nullptr;
};

// A text that somebody else holds for as long as this is used.
class TextRef {
 public:
  TextRef() = default;
  TextRef(const Text& text) : body_(text.body_) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] std::string_view view() const { return Text::View(body_); }
  // Whether they are one text in memory; such are equal.
  [[nodiscard]] bool SameAs(TextRef other) const { return body_ == other.body_; }
  // Tells apart texts that are not the same; equal ones may have different addresses.
  [[nodiscard]] std::uintptr_t address() const { return reinterpret_cast<std::uintptr_t>(body_); }

 private:
  friend class Text;
  Text::Body* body_ = nullptr;
};

inline Text::Text(TextRef ref) noexcept : body_(Take(ref.body_)) {}

}  // namespace stoker::model

template <>
struct std::hash<stoker::model::Text> {
  std::size_t operator()(const stoker::model::Text& text) const {
    return std::hash<std::string_view>()(text.view());
  }
};
