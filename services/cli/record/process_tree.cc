#include "services/cli/record/process_tree.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>
#include <vector>

#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace stoker::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kScanMs = 100;
// Some tens of thousands of events.
constexpr int kEventBytes = 4 << 20;
constexpr int kMaxBeforeAnswer = 1000;
// PROC_EVENT_NONE, _FORK and _EXEC: newer headers have them in another scope.
constexpr unsigned kAnswer = 0;
constexpr unsigned kForkEvent = 1;
constexpr unsigned kExecEvent = 2;

// The fields of /proc/PID/stat after the name, which may hold anything: the state is the first.
std::vector<std::string> StatFields(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text, '\0');
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream rest(text.substr(name_end + 1));
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

template <typename Number>
Number ToNumber(const std::string& text) {
  Number number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// The event in a datagram; false where there is none.
bool ReadEvent(const char* data, std::size_t size, proc_event& event) {
  if (size < NLMSG_HDRLEN + sizeof(cn_msg)) return false;
  const std::size_t room = size - NLMSG_HDRLEN - sizeof(cn_msg);
  event = {};
  std::memcpy(&event, data + NLMSG_HDRLEN + sizeof(cn_msg), std::min(room, sizeof event));
  return true;
}

// Whether the kernel accepted the subscription. It answers at once, or not at all where it has no
// events for us; events for others may stand before its answer.
bool IsAccepted(int fd) {
  for (int datagrams = 0; datagrams < kMaxBeforeAnswer; ++datagrams) {
    pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
    if (poll(&readable, 1, kScanMs) <= 0) return false;
    std::array<char, 4096> datagram{};
    const ssize_t size = recv(fd, datagram.data(), datagram.size(), 0);
    proc_event event;
    if (size < 0 || !ReadEvent(datagram.data(), static_cast<std::size_t>(size), event)) continue;
    if (static_cast<unsigned>(event.what) == kAnswer) return event.event_data.ack.err == 0;
  }
  return false;
}

// Subscribed to the kernel's process events, or invalid. Source: linux/cn_proc.h.
UniqueFd OpenEvents() {
  UniqueFd fd(socket(PF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR));
  if (!fd.valid()) return {};
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = CN_IDX_PROC;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kEventBytes, sizeof kEventBytes);

  std::array<char, NLMSG_SPACE(sizeof(cn_msg) + sizeof(proc_cn_mcast_op))> request{};
  nlmsghdr header{};
  header.nlmsg_len = NLMSG_LENGTH(sizeof(cn_msg) + sizeof(proc_cn_mcast_op));
  header.nlmsg_type = NLMSG_DONE;
  header.nlmsg_pid = static_cast<__u32>(getpid());
  cn_msg message{};
  message.id = {.idx = CN_IDX_PROC, .val = CN_VAL_PROC};
  message.len = sizeof(proc_cn_mcast_op);
  const proc_cn_mcast_op listen = PROC_CN_MCAST_LISTEN;
  std::memcpy(request.data(), &header, sizeof header);
  std::memcpy(request.data() + NLMSG_HDRLEN, &message, sizeof message);
  std::memcpy(request.data() + NLMSG_HDRLEN + sizeof message, &listen, sizeof listen);
  if (send(fd.get(), request.data(), header.nlmsg_len, 0) < 0) return {};
  return IsAccepted(fd.get()) ? std::move(fd) : UniqueFd();
}

}  // namespace

std::string ProgramName(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  std::error_code error;
  std::string path = fs::read_symlink(folder + "/exe", error).string();
  if (const std::size_t mark = path.rfind(" (deleted)"); mark != std::string::npos) {
    path.resize(mark);
  }
  if (!path.empty()) return path.substr(path.rfind('/') + 1);
  std::string name;
  std::ifstream file(folder + "/comm");
  std::getline(file, name);
  return name;
}

std::uint64_t AliveSince(pid_t pid) {
  const std::vector<std::string> fields = StatFields(pid);
  if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X") return 0;
  return ToNumber<std::uint64_t>(fields[19]);
}

bool Descendants::OnFork(pid_t parent, pid_t child) {
  return known_.contains(parent) && known_.insert(child).second;
}

ProcessTree::ProcessTree(pid_t root, Seen seen)
    : seen_(std::move(seen)),
      descendants_(root),
      stop_(eventfd(0, EFD_CLOEXEC)),
      events_(OpenEvents()) {
  Tell(root);
  Scan();
  thread_ = std::thread([this] { Run(); });
}

ProcessTree::~ProcessTree() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void ProcessTree::Run() {
  while (true) {
    // A negative descriptor is left out by poll.
    std::array<pollfd, 2> fds = {{{.fd = stop_.get(), .events = POLLIN, .revents = 0},
                                  {.fd = events_.get(), .events = POLLIN, .revents = 0}}};
    poll(fds.data(), fds.size(), events_.valid() ? -1 : kScanMs);
    if (fds[0].revents != 0) return;
    if (events_.valid()) {
      ReadEvents();
    } else {
      Scan();
    }
  }
}

void ProcessTree::ReadEvents() {
  alignas(nlmsghdr) std::array<char, 4096> datagram{};
  while (true) {
    const ssize_t size = recv(events_.get(), datagram.data(), datagram.size(), 0);
    // Events were lost: what they told is looked up.
    if (size < 0 && errno == ENOBUFS) Scan();
    if (size < 0 && errno != ENOBUFS) return;
    proc_event event;
    if (size < 0 || !ReadEvent(datagram.data(), static_cast<std::size_t>(size), event)) continue;
    const auto what = static_cast<unsigned>(event.what);
    if (what == kForkEvent) {
      const auto& fork = event.event_data.fork;
      // A new thread is one too, of its own process.
      if (fork.child_pid == fork.child_tgid &&
          descendants_.OnFork(fork.parent_tgid, fork.child_tgid)) {
        Tell(fork.child_tgid);
      }
    } else if (what == kExecEvent) {
      const pid_t pid = event.event_data.exec.process_tgid;
      if (descendants_.Contains(pid)) Tell(pid);
    }
  }
}

void ProcessTree::Scan() {
  std::multimap<pid_t, pid_t> children;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const auto pid = ToNumber<pid_t>(entry.path().filename().string());
    if (pid == 0) continue;
    const std::vector<std::string> fields = StatFields(pid);
    if (fields.size() > 1) children.emplace(ToNumber<pid_t>(fields[1]), pid);
  }
  std::vector<pid_t> open(descendants_.known().begin(), descendants_.known().end());
  while (!open.empty()) {
    const pid_t parent = open.back();
    open.pop_back();
    const auto [first, last] = children.equal_range(parent);
    for (auto child = first; child != last; ++child) {
      if (!descendants_.OnFork(parent, child->second)) continue;
      Tell(child->second);
      open.push_back(child->second);
    }
  }
}

void ProcessTree::Tell(pid_t pid) {
  if (std::string name = ProgramName(pid); !name.empty()) last_name_ = std::move(name);
  seen_(pid, last_name_);
}

}  // namespace stoker::cli
