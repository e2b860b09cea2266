#pragma once

#include <string>
#include <string_view>

namespace stoker::store {

// The report page with no profile in it: HTML that needs no other file and no network. Static.
// report_page.cc is made by embed.py.
[[nodiscard]] std::string_view ReportTemplate();

// The report page showing `profile`, a JSON object of the form in README.md under "Reports". The
// caller answers for its being JSON; whatever its strings hold, they cannot end the element that
// they stand in.
[[nodiscard]] std::string MakeReport(std::string_view profile);

}  // namespace stoker::store
