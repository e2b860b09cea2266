#pragma once

namespace stoker::cli {

// The text of deploy/lab/lab.alloy: what `stoker lab` runs. It writes to 127.0.0.1:4040.
extern const char kLabConfiguration[];

}  // namespace stoker::cli
