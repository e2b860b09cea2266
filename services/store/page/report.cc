#include "services/store/page/report.h"

namespace stoker::store {
namespace {

// What inline.py leaves in the page; `null` is what the profile replaces.
constexpr std::string_view kPlace = R"(<script id="profile" type="application/json">)";
constexpr std::string_view kNothing = "null";

}  // namespace

std::string MakeReport(std::string_view profile) {
  const std::string_view page = ReportTemplate();
  const std::size_t start = page.find(kPlace) + kPlace.size();
  std::string out(page.substr(0, start));
  out.reserve(page.size() + profile.size());
  // In JSON a `<` occurs only inside strings, where it may as well be written so.
  for (const char c : profile) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  out += page.substr(start + kNothing.size());
  return out;
}

}  // namespace stoker::store
