#pragma once

#include <compare>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace stoker::model {

struct Label {
  std::string name;
  std::string value;
  auto operator<=>(const Label&) const = default;
};

// A label set: sorted by name, names unique, no empty values (a label set to "" is no label).
class Labels {
 public:
  Labels() = default;
  // Of equal names the last wins.
  Labels(std::initializer_list<Label> labels);
  explicit Labels(std::vector<Label> labels);

  // The value, or "" when there is none.
  [[nodiscard]] std::string_view Get(std::string_view name) const;
  [[nodiscard]] bool Has(std::string_view name) const;
  // An empty value erases.
  void Set(std::string_view name, std::string_view value);
  void Erase(std::string_view name);

  [[nodiscard]] auto begin() const { return labels_.begin(); }
  [[nodiscard]] auto end() const { return labels_.end(); }
  [[nodiscard]] std::size_t size() const { return labels_.size(); }
  [[nodiscard]] bool empty() const { return labels_.empty(); }

  // `{a="x", b="y"}`, values quoted and escaped.
  [[nodiscard]] std::string ToString() const;

  auto operator<=>(const Labels&) const = default;

 private:
  std::vector<Label> labels_;
};

}  // namespace stoker::model
