#pragma once

#include <string>

namespace stoker::cli {

// The configuration of a recording: one pyroscope.ebpf "record" at `rate` Hz, whose profiles
// `stoker record` takes itself. With `whole_host` its targets are those of the lab, by discovery;
// else `stoker record` plays discovery too.
std::string RecordConfiguration(bool whole_host, int rate);

// The component of it that samples.
inline constexpr char kRecordComponent[] = "pyroscope.ebpf.record";

}  // namespace stoker::cli
