#include "services/cli/doctor/doctor_command.h"

#include <memory>

#include "services/cli/doctor/doctor.h"
#include "services/common/runtime/command_line.h"

namespace stoker::cli {

void AddDoctorCommand(CLI::App& app, int& status) {
  auto options = std::make_shared<DoctorOptions>();
  options->data_dir = runtime::DefaultDataDir();
  CLI::App* doctor = app.add_subcommand(
      "doctor", "Tell what this host and what runs on it lack, and how to mend it");
  doctor->footer("Exit status: 0 nothing is an error, 1 something is, 2 wrong command line.");
  doctor->add_option("CONFIG", options->config, "A configuration to check as well");
  doctor->add_option("--address", options->address, "Address of `stoker run` (its --http.listen)")
      ->capture_default_str();
  doctor->add_option("--data-dir,--storage.path", options->data_dir,
                     "Folder of what is kept on disk; without it that of `stoker run`");
  doctor->add_flag("--json", options->json, "The same for programs: {\"checks\": […]}");
  AddColorOption(*doctor, options->color);
  doctor->callback([options, &status] { status = Doctor(*options); });
}

}  // namespace stoker::cli
