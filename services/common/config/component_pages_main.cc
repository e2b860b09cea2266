#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "services/common/config/component_page.h"

// Writes docs/reference/components: component_pages FOLDER. Relative to the workspace under
// `bazel run`.
int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: component_pages FOLDER\n");
    return 2;
  }
  const char* workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  const std::filesystem::path root(workspace == nullptr ? "." : workspace);
  const std::filesystem::path folder = root / argv[1];
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "README.md") << stoker::config::ComponentIndex();
  for (const auto& component : stoker::config::AllComponents()) {
    std::ifstream file(root / "services/common/config/testdata" /
                       (std::string(stoker::config::ExampleOf(component.name)) + ".alloy"));
    const std::string example{std::istreambuf_iterator<char>(file), {}};
    std::ifstream notes_file(root / stoker::config::NotesPath(component.name));
    const std::string notes{std::istreambuf_iterator<char>(notes_file), {}};
    std::ofstream(folder / (component.name + ".md"))
        << stoker::config::ComponentPage(component, example, notes);
  }
  return 0;
}
