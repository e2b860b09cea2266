#pragma once

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "services/common/model/labels.h"
#include "services/common/model/text.h"

namespace stoker::model {

template <typename Thing>
class Counted;
struct CommonValues;
struct LabelLayout;

// Many changes of a label set at once. What stays is shared with the set that it began with. Not
// thread-safe.
class LabelEditor {
 public:
  LabelEditor() = default;
  explicit LabelEditor(Labels from);
  // Begins with labels that many sets have in common: their values are held once for all the sets
  // that are made so one after the other.
  static LabelEditor OnTopOf(Labels common);

  [[nodiscard]] std::string_view Get(std::string_view name) const;
  // An empty value erases.
  void Set(std::string_view name, std::string_view value);
  // A value of the editor's labels, which it holds to its end. Given to another label both share
  // it.
  class Value {
    friend class LabelEditor;
    TextRef text;
    bool common = false;
  };
  // Empty where there is none.
  [[nodiscard]] Value ValueOf(std::string_view name) const;
  [[nodiscard]] Value ValueAt(std::size_t index) const;
  void Set(std::string_view name, Value value);
  void Erase(std::string_view name);
  // Erases the labels for whose name `erase` is true.
  template <typename Predicate>
  void EraseIf(const Predicate& erase) {
    const std::size_t erased =
        std::erase_if(entries_, [&erase](const Entry& entry) { return erase(entry.name.view()); });
    changed_ = changed_ || erased > 0;
  }

  // Whether Make gives another set than the one it began with; the same may be made again.
  [[nodiscard]] bool changed() const { return changed_; }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  // By name the `index`th. It holds until labels are erased or the editor is gone.
  [[nodiscard]] LabelView At(std::size_t index) const {
    return {entries_[index].name.view(), entries_[index].value.view()};
  }

  [[nodiscard]] Labels Make() const;

 private:
  friend class Labels;

  // Its texts are held by from_ or made_.
  struct Entry {
    TextRef name;
    TextRef value;
    // In the part that sets have in common.
    bool common = false;
  };

  // Behind all names.
  void Append(std::string_view name, std::string_view value);
  std::vector<Entry>::iterator LowerBound(std::string_view name);
  [[nodiscard]] Counted<CommonValues> MakeCommon() const;
  [[nodiscard]] Counted<LabelLayout> MakeLayout(bool with_common) const;
  [[nodiscard]] const Entry* Find(std::string_view name) const;
  TextRef Hold(std::string_view text);

  Labels from_;
  bool changed_ = false;
  std::vector<Entry> entries_;
  std::vector<Text> made_;
};

}  // namespace stoker::model
