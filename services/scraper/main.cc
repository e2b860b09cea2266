#include "services/scraper/process.h"

int main(int argc, char** argv) {
  return stoker::runtime::ServiceMain(argc, argv, stoker::scraper::Info(),
                                      stoker::scraper::RunProcess);
}
