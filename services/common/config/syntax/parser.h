#pragma once

#include <optional>
#include <vector>

#include "services/common/config/syntax/ast.h"
#include "services/common/config/syntax/diagnostic.h"
#include "services/common/config/syntax/source.h"

namespace stoker::config {

// Bounds of one file. What passes them is refused with an error.
inline constexpr std::size_t kMaxFileBytes = std::size_t{10} << 20;
inline constexpr int kMaxNesting = 200;
inline constexpr int kMaxExpressionHeight = 1000;
inline constexpr std::size_t kMaxNodes = std::size_t{1} << 20;

// Parses a whole file. After an error it goes on with the next statement, so that one run finds
// several; at most one error a line. What could be parsed is returned. Comments are added to
// `comments` when it is given.
//
//   Body      = [ Statement { TERMINATOR Statement } [ TERMINATOR ] ]
//   Statement = IDENT "=" Expression | IDENT { "." IDENT } [ STRING ] "{" Body "}"
Body ParseFile(const SourceFile& file, Diagnostics& diagnostics,
               std::vector<Span>* comments = nullptr);

// Parses a file that is one expression; nothing after an error.
std::optional<Expression> ParseExpression(const SourceFile& file, Diagnostics& diagnostics);

}  // namespace stoker::config
