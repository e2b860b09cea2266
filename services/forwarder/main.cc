#include "services/forwarder/process.h"

int main(int argc, char** argv) {
  return stoker::runtime::ServiceMain(argc, argv, stoker::forwarder::Info(),
                                      stoker::forwarder::RunProcess);
}
