#pragma once

#include <string>

#include "services/cli/color.h"

namespace stoker::cli {

struct DoctorOptions {
  // Checked where given.
  std::string config;
  // Where `stoker run` answers.
  std::string address = "127.0.0.1:12345";
  std::string data_dir;
  bool json = false;
  ColorMode color = ColorMode::kAuto;
};

// `stoker doctor`: what this host can and cannot do, what is wrong with what runs, and how to mend
// it, on standard output. Returns the exit status: 1 when a check is an error, else 0.
int Doctor(const DoctorOptions& options);

}  // namespace stoker::cli
