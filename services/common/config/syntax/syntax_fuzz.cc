#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "services/common/config/syntax/formatter.h"
#include "services/common/config/syntax/parser.h"
#include "services/common/config/syntax/syntax_dump.h"

using namespace stoker::config;

// Any bytes: the parser ends with a tree or with diagnostics that render; a file that parses means
// the same after formatting, and formatting it again changes nothing.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const SourceFile file("fuzz", std::string(reinterpret_cast<const char*>(data), size));
  Diagnostics diagnostics;
  const Body body = ParseFile(file, diagnostics);
  if (diagnostics.has_errors()) {
    return diagnostics.RenderErrors().empty() ? -1 : 0;
  }
  const auto once = FormatFile(file);
  if (!once.ok()) std::abort();
  const SourceFile formatted("fuzz", *once);
  if (Dump(ParseFile(formatted, diagnostics)) != Dump(body)) std::abort();
  const auto twice = FormatFile(formatted);
  if (!twice.ok() || *twice != *once) std::abort();
  return 0;
}
