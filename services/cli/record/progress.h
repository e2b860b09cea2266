#pragma once

#include <string>

namespace stoker::cli {

// What a person is told on standard error. A line that is overwritten shows only on a terminal.
class Progress {
 public:
  explicit Progress(bool quiet);
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Replaces the line.
  void Show(const std::string& line);
  void Clear();
  // A line that stays; not with --quiet.
  void Say(const std::string& line);

 private:
  const bool quiet_;
  const bool terminal_;
  std::string shown_;
};

}  // namespace stoker::cli
