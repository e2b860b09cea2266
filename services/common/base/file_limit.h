#pragma once

namespace stoker {

// Lets this process have as many open files as it may at most: RLIMIT_NOFILE's hard limit.
void RaiseFileLimit();

}  // namespace stoker
