#include "services/common/log/log.h"

#include <memory>

#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace stoker::log {
namespace {

// What Init sets, before threads start.
struct Settings {
  std::string service;
  Format format = Format::kLogfmt;
  std::shared_ptr<spdlog::logger> logger = [] {
    auto made = spdlog::stderr_logger_mt("stoker");
    made->set_pattern("%v");
    return made;
  }();
};

Settings& TheSettings() {
  static Settings settings;
  return settings;
}

spdlog::level::level_enum ToSpdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string_view Name(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
  }
  return "";
}

// A bare word, or a quoted string where blanks, quotes or controls stand in it.
std::string LogfmtValue(std::string_view value) {
  const bool bare = !value.empty() && value.find_first_of(" =\"\\\n\r\t") == std::string_view::npos;
  if (bare) return std::string(value);
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void Write(Level level, std::string_view msg, std::initializer_list<Field> fields) {
  const Settings& settings = TheSettings();
  if (!settings.logger->should_log(ToSpdlog(level))) return;
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::Now(), absl::UTCTimeZone());
  settings.logger->log(ToSpdlog(level),
                       FormatLine(settings.format, time, level, settings.service, msg, fields));
}

}  // namespace

std::string FormatLine(Format format, std::string_view time, Level level, std::string_view service,
                       std::string_view msg, std::initializer_list<Field> fields) {
  if (format == Format::kJson) {
    nlohmann::ordered_json line = {
        {"ts", time}, {"level", Name(level)}, {"service", service}, {"msg", msg}};
    for (const Field& field : fields) line[std::string(field.key)] = field.value;
    return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  std::string line =
      fmt::format("ts={} level={} service={} msg={}", time, Name(level), service, LogfmtValue(msg));
  for (const Field& field : fields) {
    fmt::format_to(std::back_inserter(line), " {}={}", field.key, LogfmtValue(field.value));
  }
  return line;
}

void Init(std::string_view service, Level level, Format format) {
  Settings& settings = TheSettings();
  settings.service = service;
  settings.format = format;
  SetLevel(level);
}

void SetLevel(Level level) { TheSettings().logger->set_level(ToSpdlog(level)); }

void Debug(std::string_view msg, std::initializer_list<Field> fields) {
  Write(Level::kDebug, msg, fields);
}
void Info(std::string_view msg, std::initializer_list<Field> fields) {
  Write(Level::kInfo, msg, fields);
}
void Warn(std::string_view msg, std::initializer_list<Field> fields) {
  Write(Level::kWarn, msg, fields);
}
void Error(std::string_view msg, std::initializer_list<Field> fields) {
  Write(Level::kError, msg, fields);
}

}  // namespace stoker::log
