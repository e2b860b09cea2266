#include <algorithm>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "services/common/base/status.h"
#include "services/discovery/sources/target_groups.h"

namespace stoker::discovery {
namespace {

constexpr std::string_view kNoList = "not a list of target groups";

// Takes groups as the parser meets them: what is no group ends it, however much comes after.
class GroupReader final : public nlohmann::json::json_sax_t {
 public:
  absl::StatusOr<std::vector<TargetGroup>> Take() {
    if (!status_.ok()) return status_;
    return std::move(groups_);
  }

  bool null() override { return Scalar(); }
  bool boolean(bool) override { return Scalar(); }
  bool number_integer(number_integer_t) override { return Scalar(); }
  bool number_unsigned(number_unsigned_t) override { return Scalar(); }
  bool number_float(number_float_t, const string_t&) override { return Scalar(); }
  bool binary(binary_t&) override { return Scalar(); }

  bool string(string_t& text) override {
    if (place_ == Place::kTargets) {
      group_.addresses.push_back(std::move(text));
    } else if (place_ == Place::kLabels) {
      labels_.push_back({std::move(label_), std::move(text)});
    } else {
      return Scalar();
    }
    return Fits();
  }
  bool start_array(std::size_t) override {
    if (place_ == Place::kTop) return Enter(Place::kList);
    if (place_ != Place::kGroup || key_ != "targets") return Scalar();
    group_.addresses.clear();
    return Enter(Place::kTargets);
  }
  bool end_array() override {
    place_ = place_ == Place::kTargets ? Place::kGroup : Place::kTop;
    return true;
  }
  bool start_object(std::size_t) override {
    if (place_ == Place::kList) return Enter(Place::kGroup);
    if (place_ != Place::kGroup || key_ != "labels") return Scalar();
    labels_.clear();
    return Enter(Place::kLabels);
  }
  bool end_object() override {
    if (place_ == Place::kLabels) return Enter(Place::kGroup);
    group_.labels = model::Labels(std::exchange(labels_, {}));
    size_.Add(group_);
    groups_.push_back(std::exchange(group_, {}));
    return Enter(Place::kList) && Fits();
  }
  bool key(string_t& name) override {
    if (place_ == Place::kLabels) {
      label_ = std::move(name);
      return true;
    }
    key_ = std::move(name);
    if (key_ == "targets" || key_ == "labels") return true;
    return Refuse(fmt::format("unknown key `{}`", Shown(key_)));
  }
  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ...".
    std::string_view what = error.what();
    what.remove_prefix(std::min(what.size(), what.find(" at ") + 4));
    status_ = InvalidArgument("not JSON: {}", Shown(what));
    return false;
  }

 private:
  // What the next value stands in.
  enum class Place { kTop, kList, kGroup, kTargets, kLabels };

  bool Enter(Place place) {
    place_ = place;
    return true;
  }
  bool Refuse(std::string_view why) {
    status_ = InvalidArgument("target group {}: {}", groups_.size(), why);
    return false;
  }
  // A value that does not fit into its place.
  bool Scalar() {
    switch (place_) {
      case Place::kTop:
        status_ = InvalidArgument("{}", kNoList);
        return false;
      case Place::kList:
        return Refuse("not an object");
      case Place::kGroup:
        return Refuse(key_ == "targets" ? "`targets` is not a list" : "`labels` is not an object");
      case Place::kTargets:
        return Refuse("a target is not a string");
      case Place::kLabels:
        return Refuse(fmt::format("the label `{}` is not a string", Shown(label_)));
    }
    return false;
  }
  // Whether what there is so far is not too much.
  bool Fits() {
    status_ = size_.With(group_.addresses.size() + labels_.size());
    return status_.ok();
  }

  Place place_ = Place::kTop;
  std::string key_;
  std::string label_;
  TargetGroup group_;
  std::vector<model::Label> labels_;
  std::vector<TargetGroup> groups_;
  GroupsSize size_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<std::vector<TargetGroup>> ParseJsonGroups(std::string_view text) {
  GroupReader reader;
  nlohmann::json::sax_parse(text.begin(), text.end(), &reader);
  return reader.Take();
}

}  // namespace stoker::discovery
