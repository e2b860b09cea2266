#include "services/collector/java/java_profile.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "services/common/model/service_name.h"
#include "services/common/model/target.h"
#include "services/common/wire/labels.h"

namespace stoker::java {
namespace {

bool IsSent(std::string_view name) {
  return !name.starts_with("__") || name.starts_with("__meta_") || name == "__session_id__" ||
         name == model::kContainerIdLabel || name == model::kProcessPidLabel;
}

// See Profile.id.
std::string Id(const ProfileOrigin& origin, const jfr::ConvertedProfile& converted) {
  std::vector<std::string> parts = {origin.node,
                                    origin.component_id,
                                    origin.tenant,
                                    std::to_string(origin.process.pid),
                                    std::to_string(origin.process.start_ticks),
                                    converted.name(),
                                    converted.jfr_event(),
                                    std::to_string(converted.start_ns())};
  for (const auto& type : converted.sample_types()) parts.push_back(type.type());
  std::string bytes;
  for (const std::string& part : parts) bytes += fmt::format("{}:{}", part.size(), part);
  XXH128_canonical_t id;
  XXH128_canonicalFromHash(&id, XXH3_128bits(bytes.data(), bytes.size()));
  return {reinterpret_cast<const char*>(id.digest), sizeof id.digest};
}

}  // namespace

model::Labels SentLabels(const model::Labels& target) {
  std::vector<model::Label> sent;
  for (const model::LabelView label : target) {
    if (IsSent(label.name)) sent.emplace_back(label);
  }
  model::Labels labels(std::move(sent));
  labels.Set("service_name", model::InferServiceName(target, "java/"));
  labels.Set("pyroscope_spy", "javaspy");
  labels.Set("__delta__", "false");
  return labels;
}

std::shared_ptr<const profile::v1::Profile> MakeProfile(const ProfileOrigin& origin,
                                                        const jfr::ConvertedProfile& converted) {
  auto profile = std::make_shared<profile::v1::Profile>();
  profile->set_id(Id(origin, converted));
  for (const std::string& receiver : origin.receivers) profile->add_receivers(receiver);
  model::Labels labels = origin.labels;
  labels.Set("__name__", converted.name());
  labels.Set("jfr_event", converted.jfr_event());
  wire::ToProto(labels, profile->mutable_labels());
  profile->set_tenant(origin.tenant);
  profile->set_start_ns(converted.start_ns());
  profile->set_duration_ns(converted.duration_ns());
  profile->set_producer(origin.component_id);
  profile->set_samples(converted.samples());
  profile->set_pprof(converted.pprof());
  return profile;
}

}  // namespace stoker::java
