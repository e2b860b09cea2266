#include "services/scraper/scrape_url.h"

#include <fmt/format.h>

namespace stoker::scraper {
namespace {

bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_.~").find(c) != std::string_view::npos;
}

bool IsHexDigit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

void AppendEncoded(char c, std::string& out) {
  out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
}

// What is percent-encoded already stays so.
std::string EncodePath(std::string_view path) {
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    const bool allowed = IsUnreserved(c) || std::string_view("$&+,/:;=@").find(c) != path.npos;
    const bool escape =
        c == '%' && i + 2 < path.size() && IsHexDigit(path[i + 1]) && IsHexDigit(path[i + 2]);
    if (allowed || escape) {
      out += c;
    } else {
      AppendEncoded(c, out);
    }
  }
  return out;
}

std::string EncodeQueryPart(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ') {
      out += '+';
    } else if (IsUnreserved(c)) {
      out += c;
    } else {
      AppendEncoded(c, out);
    }
  }
  return out;
}

std::string CleanPath(std::string_view path) {
  std::vector<std::string_view> kept;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view element = path.substr(begin, end - begin);
    begin = end + 1;
    if (element == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!element.empty() && element != ".") {
      kept.push_back(element);
    }
  }
  std::string clean;
  for (const std::string_view element : kept)
    fmt::format_to(std::back_inserter(clean), "/{}", element);
  if (path.ends_with('/') || clean.empty()) clean += '/';
  return clean;
}

// Whether it is `host:port`, as Go's net.SplitHostPort takes it.
bool HasPort(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == address.npos) return false;
  const std::string_view host = address.substr(0, colon);
  if (host.starts_with('[')) return host.find(']') == host.size() - 1;
  return host.find_first_of(":[]") == host.npos;
}

}  // namespace

std::string MakeUrl(std::string_view scheme, std::string_view address, std::string_view prefix,
                    std::string_view path, const Parameters& parameters) {
  std::string url = fmt::format("{}://{}{}", scheme, address,
                                EncodePath(CleanPath(fmt::format("{}/{}", prefix, path))));
  char separator = '?';
  for (const auto& [name, values] : parameters) {
    for (const std::string& value : values) {
      url += fmt::format("{}{}={}", separator, EncodeQueryPart(name), EncodeQueryPart(value));
      separator = '&';
    }
  }
  return url;
}

std::string WithPort(std::string_view address, std::string_view scheme) {
  std::string with = fmt::format("{}:{}", address, scheme == "https" ? 443 : 80);
  return HasPort(address) || !HasPort(with) ? std::string(address) : with;
}

}  // namespace stoker::scraper
