#pragma once

#include <string>

namespace stoker::cli {

struct StatusOptions {
  // Where `stoker run` answers.
  std::string address = "127.0.0.1:12345";
  bool json = false;
};

// `stoker status`: what runs, how it is and what is wrong, on standard output. Returns the exit
// status: 0 when all is well, 1 when something is not or nothing answers.
int Status(const StatusOptions& options);

}  // namespace stoker::cli
