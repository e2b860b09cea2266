#pragma once

#include "services/common/sandbox/job.h"

namespace stoker::sandbox {

// Workers are the same binary, executed anew: always there, always of the same version, in a unit
// test too. A binary that owns a Sandbox begins its main so, before it does anything else:
//
//   if (sandbox::IsWorker(argc, argv)) return sandbox::RunWorker(argv, jobs);
//
// True when this process was started by a Sandbox.
bool IsWorker(int argc, char** argv);

// Gives up all rights (confine.h), then runs jobs from the socket the Sandbox left, one at a time,
// until it closes. Returns the process' exit status.
int RunWorker(char** argv, const Jobs& jobs);

}  // namespace stoker::sandbox
