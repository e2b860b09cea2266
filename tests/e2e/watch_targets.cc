// Prints what a consumer is told: a line of JSON after each change of a list of discovery's, the
// labels of all its targets.
//   watch_targets SOCKET COMPONENT_ID [ARGUMENT [NODE]]
#include <iostream>

#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#include <nlohmann/json.hpp>

#include "services/common/base/clock.h"
#include "services/common/base/random.h"
#include "services/common/rpc/dialer.h"
#include "services/common/targets/target_watcher.h"

namespace {

std::string AsJson(const stoker::model::TargetVector& targets) {
  nlohmann::json list = nlohmann::json::array();
  for (const stoker::model::TargetPtr& target : targets) {
    nlohmann::json labels = nlohmann::json::object();
    for (const stoker::model::LabelView label : target->labels) labels[label.name] = label.value;
    list.push_back(std::move(labels));
  }
  return list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  stoker::targets::TargetWatcher::Options options{.address = std::string("unix:") + argv[1],
                                                  .component_id = argv[2]};
  if (argc > 3) options.argument = argv[3];
  if (argc > 4) options.node_name = argv[4];
  stoker::rpc::SystemDialer dialer;
  stoker::SystemClock clock;
  stoker::SystemRandom random;
  absl::Mutex mutex;
  bool changed = false;
  stoker::targets::TargetWatcher watcher(std::move(options), dialer, clock, random, [&] {
    const absl::MutexLock lock(&mutex);
    changed = true;
  });
  while (std::cout) {
    {
      const absl::MutexLock lock(&mutex, absl::Condition(&changed));
      changed = false;
    }
    if (watcher.state().synced) std::cout << AsJson(watcher.Targets()) << std::endl;
  }
  return 0;
}
