#include "services/common/wire/target.h"

#include <utility>

#include "services/common/base/status.h"
#include "services/common/wire/labels.h"

namespace stoker::wire {

target::v1::Target ToProto(const model::Target& target) {
  target::v1::Target proto;
  proto.set_id(target.id.view().data(), target.id.size());
  ToProto(target.labels, proto.mutable_labels());
  proto.set_process_start_ticks(target.process_start_ticks);
  return proto;
}

absl::StatusOr<model::Target> FromProto(const target::v1::Target& proto) {
  if (proto.id().empty()) return InvalidArgument("a target has no id");
  absl::StatusOr<model::Labels> labels = FromProto(proto.labels());
  if (!labels.ok()) return WithContext(labels.status(), "target " + proto.id());
  return model::Target{proto.id(), *std::move(labels), proto.process_start_ticks()};
}

}  // namespace stoker::wire
