#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace stoker::store {

// A made program under a profiler, for benchmarks: a tree of calls with the shape of a recorded
// server's (heavy paths, long tails, functions that are called from many places) and profiles of
// it that are all different, as those of a real one are.
class BusyProgram {
 public:
  // `seed` chooses the program: names, addresses and calls.
  explicit BusyProgram(unsigned seed);

  // A bare pprof of CPU time with `samples` different stacks. Equal numbers make equal profiles.
  [[nodiscard]] std::string Profile(std::int64_t time_nanos, std::uint64_t number,
                                    int samples) const;

 private:
  struct Function {
    std::string name;
    std::string file;
    std::uint64_t address = 0;
  };
  // A place in the tree: one call of a function, at a line of it.
  struct Node {
    std::uint32_t parent = 0;
    std::uint32_t function = 0;
    std::uint32_t line = 0;
  };

  std::vector<Function> functions_;
  std::vector<Node> nodes_;
  // Where samples fall: nodes, and how often up to each of them, adding up to 1.
  std::vector<std::uint32_t> places_;
  std::vector<double> shares_;
};

}  // namespace stoker::store
