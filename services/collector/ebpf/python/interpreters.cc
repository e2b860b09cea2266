#include "services/collector/ebpf/python/interpreters.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include <glob.h>
#include <pwd.h>
#include <unistd.h>

namespace stoker::ebpf {

std::string RunShell(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "re"), pclose);
  std::string output;
  std::array<char, 65536> buffer{};
  while (pipe != nullptr) {
    const std::size_t count = fread(buffer.data(), 1, buffer.size(), pipe.get());
    if (count == 0) break;
    output.append(buffer.data(), count);
  }
  return output;
}

std::vector<Interpreter> FindInterpreters() {
  // A test's HOME may be nowhere.
  const passwd* user = getpwuid(getuid());
  const std::string home = user == nullptr ? "" : user->pw_dir;
  std::vector<Interpreter> found;
  for (const std::string& pattern :
       {home + "/.pyenv/versions/3.*/bin/python3", home + "/.cache/stoker/python-*/bin/python3",
        std::string("/usr/bin/python3.[0-9]"), std::string("/usr/bin/python3.[0-9][0-9]")}) {
    glob_t paths{};
    if (glob(pattern.c_str(), 0, nullptr, &paths) == 0) {
      for (std::size_t i = 0; i < paths.gl_pathc; ++i) {
        const std::string path = paths.gl_pathv[i];
        const std::string version =
            RunShell(path +
                     " -IS -c 'import sys; print(sys.version_info[0] * 256 + "
                     "sys.version_info[1])' 2>/dev/null");
        const auto number = static_cast<std::uint16_t>(std::atoi(version.c_str()));
        if (number >= 0x0308) found.push_back({path, number});
      }
    }
    globfree(&paths);
  }
  std::ranges::stable_sort(found, {}, &Interpreter::version);
  return found;
}

}  // namespace stoker::ebpf
