#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stoker::cli {

// What is to be known of each process of the pipeline; units, charts and checks derive from it.
struct ProcessSpec {
  // "ebpf-collector": the binary is stoker-ebpf-collector, the sockets are ebpf-collector.sock.
  std::string_view name;
  // Types of components it instantiates; a trailing dot takes the whole family: "discovery.".
  std::vector<std::string_view> components;
  // capability(7) names. All that it holds when started as root.
  std::vector<std::string_view> capabilities;
  // Its default HTTP address, or "" where it has capabilities: no network listener then.
  std::string_view http_listen;
  // Added to the first of the reserved uids where no user stoker-<name> exists.
  int uid_offset;
};

// In the order of starting: those that receive before those that send.
std::span<const ProcessSpec> ProcessTable();

// The capabilities that the process is given where components of `types` are used
// ("pyroscope.ebpf"): of discovery only those that discovery.process needs, and only where it is
// used.
std::vector<std::string> CapabilitiesOf(const ProcessSpec& process,
                                        const std::vector<std::string>& types);

// Names of the processes that components of `types` need, in the order of starting.
// Raw stacks bring the symbolizer, profiles the forwarder, targets discovery; `with_store` the
// store.
std::vector<std::string_view> ProcessesFor(const std::vector<std::string>& types, bool with_store);

// The order in which processes stop: sources first, so that what they flush finds its way.
std::vector<std::string_view> StopOrder();

}  // namespace stoker::cli
