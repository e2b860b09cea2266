#pragma once

#include <string>

namespace stoker::cli {

// `stoker validate`: 0 when the configuration stands, else 1 with the diagnostics on standard
// error.
struct ValidateOptions {
  // A file or a folder of *.alloy files.
  std::string path;
  // Deprecated names are errors.
  bool strict = false;
  // Components of unknown families are left out instead of refused.
  bool skip_unknown = false;
};
int Validate(const ValidateOptions& options);

// `stoker fmt`: writes the canonical form to standard output, or back to the file. "-" is standard
// input. Exit status: 0; 1 for a file that does not parse or, with `test`, is not formatted.
struct FormatOptions {
  std::string path = "-";
  bool write = false;
  bool test = false;
};
int Format(const FormatOptions& options);

}  // namespace stoker::cli
