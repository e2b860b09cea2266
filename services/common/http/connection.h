#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/time/time.h>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "services/common/http/body_buffer.h"
#include "services/common/http/message.h"

namespace stoker::http {

// TCP or Unix.
using Stream = boost::beast::basic_stream<boost::asio::generic::stream_protocol>;

// One connection, whatever it speaks. It lives on the I/O thread and keeps itself alive.
class Connection {
 public:
  virtual ~Connection() = default;
  // The server stops: an idle connection ends, another when its requests are answered.
  virtual void Drain() = 0;
};

// What every connection of a server shares. Outlives them.
struct ConnectionContext {
  Handler handler;
  std::size_t max_body_bytes = 0;
  absl::Duration idle_timeout;
  // Of requests whose handler runs or has yet to run.
  std::size_t max_admitted = 0;
  boost::asio::thread_pool& pool;
  BodyBudget bodies;
  std::atomic<std::size_t> admitted = 0;
  // From then on no connection waits for another request. Of the I/O thread, as what follows.
  bool draining = false;
  std::vector<std::weak_ptr<Connection>> connections;

  // Called once by each connection when it starts.
  void Enter(const std::weak_ptr<Connection>& connection);
};

// Headers of one request, names and values together.
inline constexpr std::size_t kMaxHeaderBytes = std::size_t{64} << 10;

// Runs the handler on the pool and gives its answer to `done` there: 500 for an exception, without
// its text. Where enough requests wait already, `done` gets a 503 before this returns.
void Dispatch(ConnectionContext& context, Request request, std::function<void(Response)> done);

// The answers to a body that is too large, and to one for which there is no memory now.
Response BodyTooLarge();
Response NoRoomForBody();

// Sets `path` (percent-decoded) and `query` from a request's target.
void SetTarget(std::string_view target, Request& request);

// Each serves a connection until it ends, and keeps itself alive meanwhile. `begun` holds what was
// read of it. `ended` is called once, on the thread of input and output.
void ServeHttp1(Stream stream, boost::beast::flat_buffer begun, std::string peer,
                ConnectionContext& context, std::shared_ptr<void> ended);
void ServeHttp2(Stream stream, boost::beast::flat_buffer begun, std::string peer,
                ConnectionContext& context, std::shared_ptr<void> ended);

}  // namespace stoker::http
