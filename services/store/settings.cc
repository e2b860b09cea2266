#include "services/store/settings.h"

#include <filesystem>
#include <utility>

#include <nlohmann/json.hpp>

#include "services/common/base/status.h"
#include "services/common/log/log.h"

namespace stoker::store {
namespace {

using nlohmann::json;
using settings::v1::Setting;

constexpr std::size_t kMaxSettings = 1'000;
constexpr std::size_t kMaxNameBytes = 1'024;
constexpr std::size_t kMaxValueBytes = 256 << 10;
constexpr std::uint64_t kMaxFileBytes = 512 << 20;

std::string Encode(const std::map<std::string, Setting>& settings) {
  json list = json::array();
  for (const auto& [name, setting] : settings) {
    list.push_back(
        {{"name", name}, {"value", setting.value()}, {"modifiedAt", setting.modifiedat()}});
  }
  return list.dump(1, ' ', false, json::error_handler_t::replace);
}

absl::StatusOr<std::map<std::string, Setting>> Decode(const std::string& text) {
  const json list = json::parse(text, nullptr, false);
  if (!list.is_array()) return DataLoss("settings are no list in JSON");
  std::map<std::string, Setting> settings;
  for (const json& item : list) {
    if (!item.is_object() || !item.contains("name") || !item["name"].is_string() ||
        !item.contains("value") || !item["value"].is_string() || !item.contains("modifiedAt") ||
        !item["modifiedAt"].is_number_integer()) {
      return DataLoss("a setting lacks its name, value or time");
    }
    Setting setting;
    setting.set_name(item["name"].get<std::string>());
    setting.set_value(item["value"].get<std::string>());
    setting.set_modifiedat(item["modifiedAt"].get<std::int64_t>());
    settings[setting.name()] = setting;
  }
  return settings;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Settings>> Settings::Open(std::string path, const Clock& clock) {
  std::unique_ptr<Settings> settings(new Settings(std::move(path), clock));
  STOKER_RETURN_IF_ERROR(settings->Read());
  return settings;
}

absl::Status Settings::Read() {
  std::error_code error;
  if (!std::filesystem::exists(path_, error)) return absl::OkStatus();
  STOKER_ASSIGN_OR_RETURN(const auto file, env_.OpenForRead(path_));
  STOKER_ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  std::string text(std::min(size, kMaxFileBytes), '\0');
  STOKER_ASSIGN_OR_RETURN(const std::size_t read, file->Read(0, text.size(), text.data()));
  text.resize(read);
  auto settings = Decode(text);
  if (!settings.ok()) {
    log::Error("settings set aside", {{"file", path_}, {"error", Message(settings.status())}});
    return env_.Rename(path_, path_ + ".damaged");
  }
  absl::MutexLock lock(&mutex_);
  settings_ = *std::move(settings);
  return absl::OkStatus();
}

absl::Status Settings::Write(ByName settings) {
  const std::string unfinished = path_ + ".tmp";
  std::error_code ignored;
  std::filesystem::remove(unfinished, ignored);
  STOKER_ASSIGN_OR_RETURN(const auto file, env_.Create(unfinished));
  STOKER_RETURN_IF_ERROR(file->Append(Encode(settings)));
  STOKER_RETURN_IF_ERROR(file->Sync());
  STOKER_RETURN_IF_ERROR(env_.Rename(unfinished, path_));
  settings_ = std::move(settings);
  return absl::OkStatus();
}

absl::StatusOr<settings::v1::GetSettingsResponse> Settings::Get(
    const settings::v1::GetSettingsRequest&) const {
  absl::MutexLock lock(&mutex_);
  settings::v1::GetSettingsResponse response;
  for (const auto& [name, setting] : settings_) *response.add_settings() = setting;
  return response;
}

absl::StatusOr<settings::v1::SetSettingsResponse> Settings::Set(
    const settings::v1::SetSettingsRequest& request) {
  if (!request.has_setting()) return InvalidArgument("no setting values provided");
  Setting setting = request.setting();
  if (setting.name().empty()) return InvalidArgument("a setting needs a name");
  if (setting.name().size() > kMaxNameBytes || setting.value().size() > kMaxValueBytes) {
    return InvalidArgument("a setting has at most {} bytes of name and {} of value", kMaxNameBytes,
                           kMaxValueBytes);
  }
  if (setting.modifiedat() <= 0) setting.set_modifiedat(absl::ToUnixMillis(clock_.Now()));
  absl::MutexLock lock(&mutex_);
  const auto stored = settings_.find(setting.name());
  if (stored != settings_.end() && stored->second.modifiedat() > setting.modifiedat()) {
    return Error(absl::StatusCode::kAlreadyExists, "newer update already written");
  }
  if (stored == settings_.end() && settings_.size() == kMaxSettings) {
    return InvalidArgument("there are {} settings already, the most that are kept", kMaxSettings);
  }
  ByName changed = settings_;
  changed[setting.name()] = setting;
  STOKER_RETURN_IF_ERROR(Write(std::move(changed)));
  settings::v1::SetSettingsResponse response;
  *response.mutable_setting() = std::move(setting);
  return response;
}

absl::StatusOr<settings::v1::DeleteSettingsResponse> Settings::Delete(
    const settings::v1::DeleteSettingsRequest& request) {
  if (request.name().empty()) return InvalidArgument("name is required");
  absl::MutexLock lock(&mutex_);
  ByName changed = settings_;
  if (changed.erase(request.name()) != 0) STOKER_RETURN_IF_ERROR(Write(std::move(changed)));
  return settings::v1::DeleteSettingsResponse();
}

}  // namespace stoker::store
