#include "services/common/config/syntax/diagnostic.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace stoker::config {
namespace {

// Source lines may be as long as the file; a window shows this much of each.
constexpr std::size_t kMaxLineBytes = 400;

std::string ExpandTabs(std::string_view text) {
  std::string expanded;
  for (const char c : text) {
    if (c == '\t') {
      expanded += "    ";
    } else {
      expanded += c;
    }
  }
  return expanded;
}

// Draws the lines around a span.
class Window {
 public:
  explicit Window(const Span& span)
      : file_(*span.file),
        begin_(file_.PositionOf(span.begin)),
        // The span's last byte.
        end_(file_.PositionOf(std::max(span.begin + 1, span.end) - 1)),
        first_(std::max(begin_.line - 1, 1)),
        last_(std::min(end_.line + 1, file_.line_count())),
        width_(fmt::formatted_size("{}", last_)) {}

  std::string Draw() {
    const bool multi_line = begin_.line != end_.line;
    for (int line = first_; line <= last_; ++line) {
      // The line after the text's last newline is none.
      if (line == file_.line_count() && file_.Line(line).empty() && line > end_.line) continue;
      if (multi_line) {
        DrawBarred(line);
      } else {
        AddLine(fmt::to_string(line), Shown(line));
        if (line == begin_.line) AddLine("", Blanks(line, begin_.column - 1) + Carets());
      }
    }
    return std::move(text_);
  }

 private:
  [[nodiscard]] std::string Shown(int line) const {
    return ExpandTabs(file_.Line(line).substr(0, kMaxLineBytes));
  }

  // The width of the first `bytes` of a line, as blanks (or as `fill`).
  [[nodiscard]] std::string Blanks(int line, int bytes, char fill = ' ') const {
    const std::string before = ExpandTabs(
        file_.Line(line).substr(0, std::min(static_cast<std::size_t>(bytes), kMaxLineBytes)));
    return std::string(before.size(), fill);
  }

  [[nodiscard]] std::string Carets() const {
    const std::string_view line = file_.Line(begin_.line);
    const auto from = std::min(static_cast<std::size_t>(begin_.column - 1), line.size());
    const auto count = static_cast<std::size_t>(end_.column - begin_.column + 1);
    const std::string marked = ExpandTabs(line.substr(from, std::min(count, kMaxLineBytes)));
    return std::string(std::max<std::size_t>(marked.size(), 1), '^');
  }

  void DrawBarred(int line) {
    const bool inside = line > begin_.line && line <= end_.line;
    AddLine(fmt::to_string(line), (inside ? "| " : "  ") + Shown(line));
    if (line == begin_.line) {
      const std::string before = Blanks(line, begin_.column - 1, '_');
      const std::string rest = Shown(line).substr(std::min(before.size(), Shown(line).size()));
      AddLine("", " _" + before + std::string(std::max<std::size_t>(rest.size(), 1), '^'));
    } else if (line == end_.line) {
      const std::string_view source = file_.Line(line);
      const auto indent = std::min(source.find_first_not_of(" \t"), source.size());
      const std::size_t before = Blanks(line, static_cast<int>(indent)).size();
      const std::size_t width = Blanks(line, end_.column).size();
      AddLine("", "|_" + std::string(before, '_') +
                      std::string(width > before ? width - before : 1, '^'));
    }
  }

  void AddLine(const std::string& number, std::string_view content) {
    std::string line = fmt::format("{:>{}} | {}", number, width_, content);
    line.erase(line.find_last_not_of(' ') + 1);
    text_ += line + "\n";
  }

  const SourceFile& file_;
  const Position begin_;
  const Position end_;
  const int first_;
  const int last_;
  const std::size_t width_;
  std::string text_;
};

}  // namespace

std::string Render(const Diagnostic& diagnostic) {
  const std::string_view severity = diagnostic.severity == Severity::kError ? "Error" : "Warning";
  if (diagnostic.span.file == nullptr) return fmt::format("{}: {}\n", severity, diagnostic.message);
  return fmt::format("{}: {}: {}\n\n{}", severity, diagnostic.span.Place(), diagnostic.message,
                     Window(diagnostic.span).Draw());
}

void Diagnostics::Error(const Span& span, std::string message) {
  // What several instances of one module do wrong is said once.
  const auto same = [&](const Diagnostic& known) {
    return known.span.file == span.file && known.span.begin == span.begin &&
           known.message == message;
  };
  if (std::any_of(all_.begin(), all_.end(), same)) return;
  if (errors_++ < kMax) all_.push_back({Severity::kError, span, std::move(message)});
}

void Diagnostics::Warn(const Span& span, std::string message) {
  const auto same = [&](const Diagnostic& known) {
    return known.span.file == span.file && known.span.begin == span.begin;
  };
  if (std::any_of(all_.begin(), all_.end(), same)) return;
  if (warnings_++ < kMax) all_.push_back({Severity::kWarning, span, std::move(message)});
}

std::string Diagnostics::RenderErrors() const {
  std::string text;
  for (const Diagnostic& diagnostic : all_) {
    if (diagnostic.severity != Severity::kError) continue;
    if (!text.empty()) text += "\n";
    text += Render(diagnostic);
  }
  if (errors_ > kMax) text += fmt::format("\nand {} more\n", errors_ - kMax);
  return text;
}

absl::Status Diagnostics::ToStatus() const {
  return has_errors() ? absl::InvalidArgumentError(RenderErrors()) : absl::OkStatus();
}

}  // namespace stoker::config
