#pragma once

#include <cstddef>

namespace stoker::sandbox {

// What a Sandbox and the process that it starts agree on. The command line of a worker is
// `<process> --sandbox-worker <parent pid> <memory bytes> <file bytes>`.
inline constexpr char kWorkerFlag[] = "--sandbox-worker";
inline constexpr int kWorkerArguments = 5;

// The worker's end of the socket.
inline constexpr int kWorkerSocket = 3;

inline constexpr std::size_t kMaxRequestBytes = std::size_t{64} << 20;

// Exit status of a worker that ran out of memory while it ran a job.
inline constexpr int kExitOutOfMemory = 86;
// Exit status of a worker that could not give up its rights.
inline constexpr int kExitNotConfined = 87;

}  // namespace stoker::sandbox
