#include "services/common/wire/labels.h"

#include <utility>
#include <vector>

#include "services/common/base/status.h"

namespace stoker::wire {

void ToProto(const model::Labels& labels,
             google::protobuf::RepeatedPtrField<target::v1::Label>* proto) {
  proto->Reserve(proto->size() + static_cast<int>(labels.size()));
  for (const model::LabelView label : labels) {
    target::v1::Label* added = proto->Add();
    added->set_name(label.name.data(), label.name.size());
    added->set_value(label.value.data(), label.value.size());
  }
}

absl::StatusOr<model::Labels> FromProto(
    const google::protobuf::RepeatedPtrField<target::v1::Label>& proto) {
  std::vector<model::Label> labels;
  labels.reserve(static_cast<std::size_t>(proto.size()));
  for (const target::v1::Label& label : proto) {
    if (label.name().empty()) {
      return InvalidArgument("a label of value \"{}\" has no name", label.value());
    }
    labels.push_back({label.name(), label.value()});
  }
  return model::Labels(std::move(labels));
}

}  // namespace stoker::wire
