#include "services/cli/configuration_commands.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include <fmt/format.h>

#include "services/common/base/status.h"
#include "services/common/config/configuration.h"
#include "services/common/config/environment.h"
#include "services/common/config/syntax/formatter.h"
#include "services/common/config/syntax/source.h"

namespace stoker::cli {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{10} << 20;
constexpr char kStandardInput[] = "-";

int Fail(std::string_view message) {
  fmt::print(stderr, "{}\n", message);
  return 1;
}

absl::StatusOr<std::string> ReadInput(const std::string& path) {
  if (path != kStandardInput) return config::MachineEnvironment().ReadFile(path, kMaxBytes);
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

// Replaces the file in one step and keeps its mode.
int WriteFile(const std::string& path, const std::string& text) {
  namespace fs = std::filesystem;
  const fs::path next = path + ".next";
  std::ofstream file(next, std::ios::binary);
  file << text;
  file.close();
  std::error_code error;
  if (file.good()) fs::permissions(next, fs::status(path, error).permissions(), error);
  if (file.good() && !error) fs::rename(next, path, error);
  if (file.good() && !error) return 0;
  fs::remove(next, error);
  return Fail(fmt::format("cannot write {}", path));
}

}  // namespace

int Validate(const ValidateOptions& options) {
  const auto configuration = config::Configuration::Load(
      options.path, config::MachineEnvironment(),
      {.strict = options.strict, .skip_unknown = options.skip_unknown, .check_values = true});
  if (!configuration.ok()) {
    fmt::print(stderr, "{}\nvalidation failed\n", Message(configuration.status()));
    return 1;
  }
  for (const std::string& warning : (*configuration)->warnings()) {
    fmt::print(stderr, "{}\n", warning);
  }
  return 0;
}

int Format(const FormatOptions& options) {
  if (options.write && options.test) return Fail("-w and -t exclude each other");
  if (options.write && options.path == kStandardInput) {
    return Fail("cannot use -w with standard input");
  }
  if (std::filesystem::is_directory(options.path)) return Fail("cannot format a directory");
  const auto text = ReadInput(options.path);
  if (!text.ok()) return Fail(Message(text.status()));
  const auto formatted = config::FormatFile(config::SourceFile(options.path, *text));
  if (!formatted.ok()) return Fail(Message(formatted.status()));
  if (options.test) {
    if (*formatted == *text) return 0;
    return Fail(fmt::format("file {} is not formatted correctly", options.path));
  }
  if (!options.write) {
    fmt::print("{}", *formatted);
    return 0;
  }
  return *formatted == *text ? 0 : WriteFile(options.path, *formatted);
}

}  // namespace stoker::cli
