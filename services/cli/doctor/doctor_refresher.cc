#include "services/cli/doctor/doctor_refresher.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "services/cli/identities.h"
#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"
#include "services/common/log/log.h"

namespace stoker::cli {
namespace {

constexpr absl::Duration kBetween = absl::Seconds(10);
// While nothing changes, looks come ever less often: one costs a tenth of a second of CPU.
constexpr absl::Duration kAtRest = absl::Minutes(1);
// Short after the start: the page is looked at then.
constexpr absl::Duration kFirst = absl::Seconds(3);

// Readable by the group: the store's process has another uid.
absl::Status Replace(const std::string& path, const std::string& text) {
  const std::string next = path + ".next";
  unlink(next.c_str());
  const UniqueFd fd(open(next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!fd.valid()) return ErrnoError(errno, "open " + next);
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = write(fd.get(), text.data() + done, text.size() - done);
    if (written < 0) return ErrnoError(errno, "write " + next);
    done += static_cast<std::size_t>(written);
  }
  if (geteuid() == 0 && fchown(fd.get(), 0, StokerGid()) != 0) {
    return ErrnoError(errno, "chown " + next);
  }
  if (rename(next.c_str(), path.c_str()) != 0) return ErrnoError(errno, "rename " + next);
  return absl::OkStatus();
}

}  // namespace

DoctorRefresher::DoctorRefresher(const Host& host, DiagnoseOptions options, std::string path,
                                 Parts parts)
    : host_(host),
      options_(std::move(options)),
      path_(std::move(path)),
      parts_(std::move(parts)),
      thread_([this] { Run(); }) {}

DoctorRefresher::~DoctorRefresher() {
  RequestStop();
  thread_.join();
}

void DoctorRefresher::RequestStop() {
  if (!stop_.HasBeenNotified()) stop_.Notify();
}

void DoctorRefresher::Run() {
  if (stop_.WaitForNotificationWithTimeout(kFirst)) return;
  absl::Duration pause = kBetween;
  do {
    pause = Refresh() ? kBetween : std::min(pause * 2, kAtRest);
  } while (!stop_.WaitForNotificationWithTimeout(pause));
}

bool DoctorRefresher::Refresh() {
  InstanceView view = parts_.look();
  // The first look has nothing to compare with.
  view.metrics_before = std::exchange(metrics_before_, view.metrics);
  std::string text = ToJson(Diagnose(host_, options_, view))
                         .dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text == written_) return false;
  if (const absl::Status status = Replace(path_, text); !status.ok()) {
    log::Warn("doctor's file not written", {{"error", status}});
    return false;
  }
  written_ = text;
  parts_.tell(std::move(text));
  return true;
}

}  // namespace stoker::cli
