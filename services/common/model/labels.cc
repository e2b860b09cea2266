#include "services/common/model/labels.h"

#include <algorithm>
#include <new>

#include <nlohmann/json.hpp>

#include "services/common/model/label_block.h"
#include "services/common/model/label_editor.h"

namespace stoker::model {

void Labels::Block::Free(Block* block) {
  std::destroy_n(const_cast<Text*>(block->values()), block->size);
  block->~Block();
  ::operator delete(block);
}

Labels::Labels(std::initializer_list<Label> labels) : Labels(std::vector<Label>(labels)) {}

Labels::Labels(std::vector<Label> labels) {
  std::stable_sort(labels.begin(), labels.end(),
                   [](const Label& a, const Label& b) { return a.name < b.name; });
  LabelEditor editor;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    // Of a run of equal names the last stays, and only with a value.
    const bool last = i + 1 == labels.size() || labels[i + 1].name != labels[i].name;
    if (last && !labels[i].value.empty()) editor.Append(labels[i].name, labels[i].value);
  }
  *this = editor.Make();
}

Labels::Labels(const Labels& other) noexcept : block_(other.block_) {
  if (block_ != nullptr) block_->holders.fetch_add(1, std::memory_order_relaxed);
}

Labels::~Labels() {
  if (block_ == nullptr) return;
  if (block_->holders.fetch_sub(1, std::memory_order_acq_rel) == 1) Block::Free(block_);
}

std::size_t Labels::size() const { return block_ == nullptr ? 0 : block_->layout->size; }

LabelView Labels::At(std::size_t index) const {
  const LabelLayout::Field& field = block_->layout->fields()[index];
  return {field.name.view(), block_->ValueOf(field).view()};
}

std::string_view Labels::Get(std::string_view name) const {
  if (block_ == nullptr) return {};
  const LabelLayout::Field* const begin = block_->layout->fields();
  const LabelLayout::Field* const end = begin + block_->layout->size;
  const auto* const field = std::lower_bound(
      begin, end, name,
      [](const LabelLayout::Field& one, std::string_view n) { return one.name.view() < n; });
  if (field == end || field->name.view() != name) return {};
  return block_->ValueOf(*field).view();
}

bool Labels::Has(std::string_view name) const { return !Get(name).empty(); }

void Labels::Set(std::string_view name, std::string_view value) {
  LabelEditor editor(*this);
  editor.Set(name, value);
  *this = editor.Make();
}

void Labels::Erase(std::string_view name) { Set(name, ""); }

std::string Labels::ToString() const {
  std::string text = "{";
  for (const LabelView label : *this) {
    if (text.size() > 1) text += ", ";
    text += label.name;
    text += "=";
    text +=
        nlohmann::json(label.value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  return text + "}";
}

bool operator==(const Labels& a, const Labels& b) {
  if (a.block_ == b.block_) return true;
  if (a.size() != b.size()) return false;
  const LabelLayout* const one = a.block_->layout.get();
  const LabelLayout* const other = b.block_->layout.get();
  for (std::size_t i = 0; i < one->size; ++i) {
    const LabelLayout::Field& left = one->fields()[i];
    const LabelLayout::Field& right = other->fields()[i];
    if (one != other && left.name != right.name) return false;
    if (a.block_->ValueOf(left) != b.block_->ValueOf(right)) return false;
  }
  return true;
}

std::strong_ordering operator<=>(const Labels& a, const Labels& b) {
  if (a.block_ == b.block_) return std::strong_ordering::equal;
  return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace stoker::model
