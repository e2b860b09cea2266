#include "services/store/selector.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <utility>

#include <re2/re2.h>

#include "services/common/base/status.h"
#include "services/common/base/utf8.h"

namespace stoker::store {
namespace {

constexpr std::size_t kMaxBytes = 64 << 10;
constexpr std::size_t kMaxMatchers = 256;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<Selector> Parse() {
    SkipSpace();
    const std::string metric = Identifier(/*colons=*/true);
    if (!metric.empty()) {
      STOKER_ASSIGN_OR_RETURN(Matcher matcher,
                              Matcher::Create(Matcher::Type::kEqual, "__name__", metric));
      selector_.Add(std::move(matcher));
    }
    SkipSpace();
    if (Take('{')) {
      STOKER_RETURN_IF_ERROR(Braces());
    } else if (metric.empty()) {
      return Wrong("expected a metric name or '{'");
    }
    SkipSpace();
    if (at_ != text_.size()) return Wrong("unexpected text after the selector");
    return std::move(selector_);
  }

 private:
  absl::Status Braces() {
    while (true) {
      SkipSpace();
      if (Take('}')) return absl::OkStatus();
      STOKER_RETURN_IF_ERROR(OneMatcher());
      SkipSpace();
      if (Take('}')) return absl::OkStatus();
      if (!Take(',')) return Wrong("expected ',' or '}'");
    }
  }

  absl::Status OneMatcher() {
    if (selector_.matchers().size() == kMaxMatchers) return Wrong("too many matchers");
    const bool quoted = AtQuote();
    std::string name;
    if (quoted) {
      STOKER_ASSIGN_OR_RETURN(name, Quoted());
    } else {
      name = Identifier(/*colons=*/false);
    }
    if (name.empty()) return Wrong("expected a label name");
    SkipSpace();
    // A quoted word alone is the metric's name.
    if (quoted && (Peek() == ',' || Peek() == '}')) {
      return Add(Matcher::Type::kEqual, "__name__", std::move(name));
    }
    Matcher::Type type = Matcher::Type::kEqual;
    if (!Operator(type)) return Wrong("expected one of '=', '!=', '=~', '!~'");
    SkipSpace();
    if (!AtQuote()) return Wrong("expected a quoted value");
    STOKER_ASSIGN_OR_RETURN(std::string value, Quoted());
    return Add(type, std::move(name), std::move(value));
  }

  absl::Status Add(Matcher::Type type, std::string name, std::string value) {
    STOKER_ASSIGN_OR_RETURN(Matcher matcher,
                            Matcher::Create(type, std::move(name), std::move(value)));
    selector_.Add(std::move(matcher));
    return absl::OkStatus();
  }

  bool Operator(Matcher::Type& type) {
    using enum Matcher::Type;
    const std::pair<std::string_view, Matcher::Type> operators[] = {
        {"=~", kRegex}, {"!~", kNotRegex}, {"!=", kNotEqual}, {"=", kEqual}};
    for (const auto& [text, meaning] : operators) {
      if (text_.substr(at_).starts_with(text)) {
        at_ += text.size();
        type = meaning;
        return true;
      }
    }
    return false;
  }

  std::string Identifier(bool colons) {
    const std::size_t start = at_;
    while (at_ < text_.size()) {
      const auto c = static_cast<unsigned char>(text_[at_]);
      const bool first = at_ == start;
      const bool fits =
          c == '_' || std::isalpha(c) || (colons && c == ':') || (!first && std::isdigit(c));
      if (!fits) break;
      ++at_;
    }
    return std::string(text_.substr(start, at_ - start));
  }

  absl::StatusOr<std::string> Quoted() {
    const char quote = text_[at_++];
    std::string value;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\' && quote != '`') {
        ++at_;
        STOKER_RETURN_IF_ERROR(Escape(quote, value));
      } else if (text_[at_] == '\n' && quote != '`') {
        return Wrong("line break in a quoted value");
      } else {
        value += text_[at_++];
      }
    }
    if (!Take(quote)) return Wrong("quoted value without end");
    return value;
  }

  // What follows a backslash, as Go has it.
  absl::Status Escape(char quote, std::string& out) {
    constexpr std::string_view kLetters = "abfnrtv\\";
    constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\";
    if (at_ == text_.size()) return Wrong("quoted value without end");
    const char c = text_[at_++];
    if (const std::size_t i = kLetters.find(c); i != std::string_view::npos) {
      out += kMeanings[i];
      return absl::OkStatus();
    }
    std::uint32_t code = 0;
    switch (c) {
      case 'x':
        if (!Digits(2, 16, code)) break;
        out += static_cast<char>(code);
        return absl::OkStatus();
      case 'u':
      case 'U':
        if (!Digits(c == 'u' ? 4 : 8, 16, code)) break;
        if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) break;
        AppendCodePoint(code, out);
        return absl::OkStatus();
      default:
        if (c == quote) {
          out += c;
          return absl::OkStatus();
        }
        --at_;
        if (!Digits(3, 8, code) || code > 255) break;
        out += static_cast<char>(code);
        return absl::OkStatus();
    }
    return Wrong("unknown escape sequence");
  }

  bool Digits(std::size_t count, std::uint32_t base, std::uint32_t& value) {
    if (text_.size() - at_ < count) return false;
    value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto c = static_cast<unsigned char>(text_[at_ + i]);
      const std::uint32_t digit = std::isdigit(c)    ? c - '0'
                                  : std::isxdigit(c) ? (c | 32) - 'a' + 10
                                                     : 99;
      if (digit >= base) return false;
      value = value * base + digit;
    }
    at_ += count;
    return true;
  }

  void SkipSpace() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  [[nodiscard]] char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  [[nodiscard]] bool AtQuote() const { return Peek() == '"' || Peek() == '\'' || Peek() == '`'; }
  bool Take(char c) {
    if (Peek() != c) return false;
    ++at_;
    return true;
  }
  [[nodiscard]] absl::Status Wrong(std::string_view what) const {
    return InvalidArgument("parse error: 1:{}: {}", at_ + 1, what);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Selector selector_;
};

}  // namespace

absl::StatusOr<Matcher> Matcher::Create(Type type, std::string name, std::string value) {
  Matcher matcher;
  matcher.type_ = type;
  matcher.name_ = std::move(name);
  matcher.value_ = std::move(value);
  if (type == Type::kRegex || type == Type::kNotRegex) {
    RE2::Options options;
    options.set_dot_nl(true);
    options.set_log_errors(false);
    options.set_max_mem(8 << 20);
    auto regex = std::make_shared<const RE2>(matcher.value_, options);
    if (!regex->ok()) {
      return InvalidArgument("error parsing regexp: {}: `{}`", regex->error(), matcher.value_);
    }
    matcher.regex_ = std::move(regex);
  }
  return matcher;
}

bool Matcher::Matches(std::string_view value) const {
  switch (type_) {
    case Type::kEqual:
      return value == value_;
    case Type::kNotEqual:
      return value != value_;
    case Type::kRegex:
      return RE2::FullMatch({value.data(), value.size()}, *regex_);
    case Type::kNotRegex:
      return !RE2::FullMatch({value.data(), value.size()}, *regex_);
  }
  return false;
}

bool Selector::Matches(const model::Labels& labels) const {
  return std::all_of(matchers_.begin(), matchers_.end(), [&](const Matcher& matcher) {
    return matcher.Matches(labels.Get(matcher.name()));
  });
}

absl::StatusOr<Selector> ParseSelector(std::string_view text) {
  if (text.size() > kMaxBytes) return InvalidArgument("selector longer than {} bytes", kMaxBytes);
  return Parser(text).Parse();
}

}  // namespace stoker::store
