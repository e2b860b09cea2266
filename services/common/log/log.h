#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <fmt/format.h>

// One line an event on standard error: `ts=… level=info service=… msg="spool opened" bytes=42`, or
// the same as JSON. `msg` is a constant phrase; what varies are fields. Errors are logged once,
// where they are handled.

namespace stoker::log {

enum class Level { kDebug, kInfo, kWarn, kError };
enum class Format { kLogfmt, kJson };

// A key and a value; numbers, text and statuses.
struct Field {
  Field(std::string_view field_key, std::string_view field_value)
      : key(field_key), value(field_value) {}
  Field(std::string_view field_key, const char* field_value) : key(field_key), value(field_value) {}
  Field(std::string_view field_key, const std::string& field_value)
      : key(field_key), value(field_value) {}
  Field(std::string_view field_key, const absl::Status& status) : key(field_key) {
    value.assign(status.message().data(), status.message().size());
  }
  template <typename T>
    requires std::integral<T> || std::floating_point<T>
  Field(std::string_view field_key, T number) : key(field_key), value(fmt::to_string(number)) {}

  std::string_view key;
  std::string value;
};

// Called once, before any thread starts. Without it: logfmt, info, no service.
void Init(std::string_view service, Level level, Format format);

// Changes the level of a running process, as a reload may.
void SetLevel(Level level);

void Debug(std::string_view msg, std::initializer_list<Field> fields = {});
void Info(std::string_view msg, std::initializer_list<Field> fields = {});
void Warn(std::string_view msg, std::initializer_list<Field> fields = {});
void Error(std::string_view msg, std::initializer_list<Field> fields = {});

// The text of a line, without its end.
std::string FormatLine(Format format, std::string_view time, Level level, std::string_view service,
                       std::string_view msg, std::initializer_list<Field> fields);

}  // namespace stoker::log
