#pragma once

#include <map>
#include <string>

#include "services/common/base/clock.h"
#include "services/store/add_route.h"
#include "services/store/settings.h"

namespace stoker::store {

// What the operations API says of the process.
struct ProcessFacts {
  std::string node_name;
  // The public address, host:port.
  std::string http_listen;
  // The command line's settings by flag. What may be a secret is not shown.
  std::map<std::string, std::string> flags;
};

// What operators and Grafana's apps ask of a Pyroscope beside profiles: build information, the
// configuration in force, the ring (this process alone), settings, feature flags, the version of
// the query API. Services that are not offered answer UNIMPLEMENTED. `settings` and `clock` are
// borrowed.
void AddOperationsApi(const ProcessFacts& facts, Settings& settings, const Clock& clock,
                      const AddRoute& add);

// `flags` in YAML, a line each, secrets as "********": the values of flags that are named like one,
// and user and password of URLs.
std::string ConfigYaml(const std::map<std::string, std::string>& flags);

}  // namespace stoker::store
