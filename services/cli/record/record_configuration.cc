#include "services/cli/record/record_configuration.h"

#include <string_view>

#include <fmt/format.h>

#include "services/cli/lab_configuration.h"

namespace stoker::cli {
namespace {

// Where the lab's targets end and its sampling begins.
constexpr char kLabSampling[] = "pyroscope.ebpf \"host\"";

}  // namespace

std::string RecordConfiguration(bool whole_host, int rate) {
  std::string text;
  if (whole_host) {
    const std::string_view lab = kLabConfiguration;
    text = lab.substr(0, lab.find(kLabSampling));
  }
  // A short interval: names are asked for early, and the progress line moves. Nobody writes to the
  // endpoint: the receiver is this program.
  text += fmt::format(R"(
pyroscope.ebpf "record" {{
	targets          = {}
	forward_to       = [pyroscope.write.record.receiver]
	targets_only     = {}
	collect_interval = "1s"
	sample_rate      = {}
	demangle         = "full"
}}

pyroscope.write "record" {{
	endpoint {{
		url = "http://127.0.0.1:1"
	}}
}}
)",
                      whole_host ? "discovery.relabel.host.output" : "[]", !whole_host, rate);
  return text;
}

}  // namespace stoker::cli
