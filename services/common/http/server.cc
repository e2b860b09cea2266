#include "services/common/http/server.h"

#include <optional>
#include <thread>
#include <utility>

#include <absl/synchronization/mutex.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "services/common/base/status.h"
#include "services/common/http/connection.h"
#include "services/common/rpc/address.h"
#include "services/common/rpc/unix_socket.h"

namespace stoker::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::generic::stream_protocol;
using asio::ip::tcp;
using boost::system::error_code;

// RFC 9113 §3.4: how an HTTP/2 client begins.
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::size_t kReadBytes = 16 << 10;
// Out of descriptors, a waiting connection keeps the socket readable: pause before the next try.
constexpr auto kExhaustedPause = std::chrono::milliseconds(100);

// Reads until it is clear which protocol the peer speaks.
class Greeter final : public Connection, public std::enable_shared_from_this<Greeter> {
 public:
  Greeter(Stream stream, std::string peer, ConnectionContext& context, std::shared_ptr<void> ended)
      : stream_(std::move(stream)),
        peer_(std::move(peer)),
        context_(context),
        ended_(std::move(ended)) {}

  void Start() {
    context_.Enter(weak_from_this());
    Read();
  }

  void Drain() override { stream_.close(); }

 private:
  void Read() {
    stream_.expires_after(absl::ToChronoNanoseconds(context_.idle_timeout));
    stream_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = shared_from_this()](error_code error, std::size_t size) {
                              if (error) return;
                              self->buffer_.commit(size);
                              self->Decide();
                            });
  }

  void Decide() {
    const auto bytes = buffer_.cdata();
    const std::string_view text(static_cast<const char*>(bytes.data()), bytes.size());
    const std::size_t common = std::min(text.size(), kPreface.size());
    if (text.substr(0, common) != kPreface.substr(0, common)) {
      return ServeHttp1(std::move(stream_), std::move(buffer_), peer_, context_, ended_);
    }
    if (common < kPreface.size()) return Read();
    ServeHttp2(std::move(stream_), std::move(buffer_), peer_, context_, ended_);
  }

  Stream stream_;
  beast::flat_buffer buffer_;
  const std::string peer_;
  ConnectionContext& context_;
  const std::shared_ptr<void> ended_;
};

class AsioServer final : public Server {
 public:
  AsioServer(const Options& options, Handler handler)
      : max_connections_(options.max_connections),
        pool_(static_cast<std::size_t>(options.handler_threads)),
        context_{
            .handler = std::move(handler),
            .max_body_bytes = options.max_body_bytes,
            .idle_timeout = options.idle_timeout,
            .max_admitted = static_cast<std::size_t>(options.handler_threads) + options.max_waiting,
            .pool = pool_,
            .bodies = BodyBudget(options.max_total_body_bytes)} {}

  // Handlers first: what they answer still needs the I/O thread's queue.
  ~AsioServer() override {
    io_.stop();
    if (thread_.joinable()) thread_.join();
    pool_.join();
    for (const std::string& path : unix_paths_) unlink(path.c_str());
  }

  void Drain(absl::Duration grace) override {
    asio::post(io_, [this] {
      error_code ignored;
      for (const auto& acceptor : tcp_) acceptor->close(ignored);
      for (const auto& acceptor : unix_) acceptor->close(ignored);
      context_.draining = true;
      for (const auto& one : std::exchange(context_.connections, {})) {
        if (const auto connection = one.lock()) connection->Drain();
      }
    });
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(
        absl::Condition(
            +[](std::size_t* connections) { return *connections == 0; }, &connections_),
        grace);
  }

  [[nodiscard]] const std::vector<int>& ports() const override { return ports_; }

  absl::Status ListenTcp(const rpc::Address& address, const std::string& text,
                         const Options& options) {
    if (!address.is_local() && !options.insecure) {
      return InvalidArgument("{} is not on the loopback: configure TLS, or say --insecure", text);
    }
    error_code error;
    tcp::resolver resolver(io_);
    const auto found = resolver.resolve(address.host, std::to_string(address.port), error);
    if (error || found.empty()) return NotFound("cannot resolve {}: {}", text, error.message());
    auto acceptor = std::make_unique<tcp::acceptor>(io_);
    const tcp::endpoint endpoint = found.begin()->endpoint();
    acceptor->open(endpoint.protocol(), error);
    if (!error) acceptor->set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor->bind(endpoint, error);
    if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
    if (error == asio::error::address_in_use) {
      return Error(absl::StatusCode::kAlreadyExists,
                   "cannot listen on {}: the port is in use; choose another with {}", text,
                   options.address_flag);
    }
    if (error) return ErrnoError(error.value(), "listen on " + text);
    ports_.push_back(acceptor->local_endpoint().port());
    Accept(*acceptor, "");
    tcp_.push_back(std::move(acceptor));
    return absl::OkStatus();
  }

  absl::Status ListenUnix(const std::string& path) {
    STOKER_ASSIGN_OR_RETURN(rpc::ListeningSocket socket, rpc::ListenUnix(path));
    if (!socket.inherited) unix_paths_.push_back(path);
    auto acceptor = std::make_unique<asio::local::stream_protocol::acceptor>(
        io_, asio::local::stream_protocol(), socket.fd.release());
    Accept(*acceptor, path);
    unix_.push_back(std::move(acceptor));
    return absl::OkStatus();
  }

  void Start() {
    thread_ = std::thread([this] { io_.run(); });
  }

 private:
  template <typename Acceptor>
  void Accept(Acceptor& acceptor, const std::string& unix_path) {
    acceptor.async_accept([this, &acceptor, unix_path](error_code error, auto socket) {
      if (error == asio::error::operation_aborted || !acceptor.is_open()) return;
      if (error) return AcceptLater(acceptor, unix_path);
      if (unix_path.empty() || rpc::MayConnect(socket.native_handle(), unix_path)) {
        Greet(std::move(socket));
      }
      Accept(acceptor, unix_path);
    });
  }

  template <typename Acceptor>
  void AcceptLater(Acceptor& acceptor, const std::string& unix_path) {
    auto timer = std::make_shared<asio::steady_timer>(io_, kExhaustedPause);
    timer->async_wait([this, timer, &acceptor, unix_path](error_code error) {
      if (!error && acceptor.is_open()) Accept(acceptor, unix_path);
    });
  }

  template <typename Socket>
  void Greet(Socket socket) {
    {
      absl::MutexLock lock(&mutex_);
      if (connections_ >= max_connections_) return;
      ++connections_;
    }
    std::shared_ptr<void> ended(nullptr, [this](void*) {
      absl::MutexLock lock(&mutex_);
      --connections_;
    });
    std::string peer = "unix";
    if constexpr (std::is_same_v<Socket, tcp::socket>) {
      error_code error;
      socket.set_option(tcp::no_delay(true), error);
      const auto endpoint = socket.remote_endpoint(error);
      peer = endpoint.address().to_string() + ":" + std::to_string(endpoint.port());
    }
    std::make_shared<Greeter>(Stream(stream_protocol::socket(std::move(socket))), std::move(peer),
                              context_, std::move(ended))
        ->Start();
  }

  const std::size_t max_connections_;
  std::vector<int> ports_;
  std::vector<std::string> unix_paths_;
  asio::thread_pool pool_;
  ConnectionContext context_;
  absl::Mutex mutex_;
  std::size_t connections_ ABSL_GUARDED_BY(mutex_) = 0;
  // Connections live in its queue: gone before what they use.
  asio::io_context io_{1};
  // While requests run and nothing is listened for, as at the end, there is no input to wait for;
  // their answers still come.
  const asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::vector<std::unique_ptr<tcp::acceptor>> tcp_;
  std::vector<std::unique_ptr<asio::local::stream_protocol::acceptor>> unix_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Options& options, Handler handler) {
  auto server = std::make_unique<AsioServer>(options, std::move(handler));
  for (const std::string& text : options.addresses) {
    STOKER_ASSIGN_OR_RETURN(const rpc::Address address, rpc::ParseAddress(text));
    STOKER_RETURN_IF_ERROR(address.is_unix() ? server->ListenUnix(address.unix_path)
                                             : server->ListenTcp(address, text, options));
  }
  server->Start();
  return server;
}

}  // namespace stoker::http
