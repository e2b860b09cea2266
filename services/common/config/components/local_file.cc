#include "services/common/config/components/local_file.h"

#include "services/common/base/status.h"
#include "services/common/config/components/schemas.h"

namespace stoker::config {

const Schema& LocalFileSchema() {
  using Detector = LocalFile::Detector;
  static const Schema* const schema =
      SchemaBuilder<LocalFile>()
          .Required("filename", &LocalFile::filename, "Path of the file on disk to watch.")
          .Choice("detector", &LocalFile::detector,
                  {{"fsnotify", Detector::kFsnotify}, {"poll", Detector::kPoll}},
                  "Which file change detector to use: fsnotify or poll.")
          .Optional("poll_frequency", &LocalFile::poll_frequency,
                    "How often to poll for file changes.")
          .Optional("is_secret", &LocalFile::is_secret, "Marks the file as containing a secret.")
          .Validate([](const LocalFile& file) {
            if (file.poll_frequency > absl::ZeroDuration()) return absl::OkStatus();
            return InvalidArgument("poll_frequency must be greater than 0");
          })
          .Build();
  return *schema;
}

}  // namespace stoker::config
