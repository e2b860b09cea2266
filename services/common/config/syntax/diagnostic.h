#pragma once

#include <string>
#include <vector>

#include <absl/status/status.h>

#include "services/common/config/syntax/source.h"

namespace stoker::config {

enum class Severity { kError, kWarning };

// What is wrong with a configuration, and where.
struct Diagnostic {
  Severity severity = Severity::kError;
  Span span;
  std::string message;
};

// "Error: file:line:column: message", a blank line, then the lines around the span with the span
// marked; several lines are marked by a bar. Tabs become four blanks. Source: Alloy's diagnostics.
std::string Render(const Diagnostic& diagnostic);

// Collects diagnostics in the order they are found, at most kMax of each severity; the
// rest is counted. What is said of one place twice is kept once.
class Diagnostics {
 public:
  static constexpr std::size_t kMax = 100;

  void Error(const Span& span, std::string message);
  void Warn(const Span& span, std::string message);

  [[nodiscard]] const std::vector<Diagnostic>& all() const { return all_; }
  [[nodiscard]] bool has_errors() const { return errors_ > 0; }
  [[nodiscard]] std::size_t errors() const { return errors_; }

  // Errors, rendered, a blank line between two, with the count of those left out.
  [[nodiscard]] std::string RenderErrors() const;
  // INVALID_ARGUMENT with RenderErrors(), or OK.
  [[nodiscard]] absl::Status ToStatus() const;

 private:
  std::vector<Diagnostic> all_;
  std::size_t errors_ = 0;
  std::size_t warnings_ = 0;
};

}  // namespace stoker::config
