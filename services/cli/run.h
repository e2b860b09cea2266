#pragma once

#include "services/cli/deployment.h"

namespace stoker::cli {

// `stoker run` and `stoker lab`: starts what the configuration needs, keeps it running, stops it in
// order. With an empty `options.config` it runs the lab's. Returns the exit status: 0 after an
// ordered stop, 1 for an error.
int Run(RunOptions options);

}  // namespace stoker::cli
