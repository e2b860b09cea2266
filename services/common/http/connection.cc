#include "services/common/http/connection.h"

#include <charconv>
#include <exception>
#include <utility>

#include <boost/asio/post.hpp>

#include "services/common/log/log.h"

namespace stoker::http {
namespace {

std::string PercentDecode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char value = 0;
    const char* digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2) {
      decoded.push_back(static_cast<char>(value));
      i += 2;
    } else {
      decoded.push_back(text[i]);
    }
  }
  return decoded;
}

Response Answer(const Handler& handler, const Request& request) {
  try {
    return handler(request);
  } catch (const std::exception& error) {
    log::Error("an HTTP handler failed", {{"path", request.path}, {"error", error.what()}});
    return Text(500, "internal error\n");
  }
}

}  // namespace

void ConnectionContext::Enter(const std::weak_ptr<Connection>& connection) {
  // Those that ended are forgotten before the list would grow.
  if (connections.size() == connections.capacity()) {
    std::erase_if(connections, [](const auto& one) { return one.expired(); });
  }
  connections.push_back(connection);
}

Response BodyTooLarge() { return Text(413, "request body too large\n"); }

Response NoRoomForBody() {
  Response response = Text(503, "too much is being received, try again later\n");
  response.headers.Add("Retry-After", "1");
  return response;
}

void Dispatch(ConnectionContext& context, Request request, std::function<void(Response)> done) {
  if (context.admitted.fetch_add(1) >= context.max_admitted) {
    --context.admitted;
    return done(Text(503, "too many requests wait, try again later\n"));
  }
  boost::asio::post(context.pool,
                    [&context, request = std::move(request), done = std::move(done)]() mutable {
                      Response response;
                      {
                        // Its memory is free again before the peer knows that it is answered.
                        const Request answered = std::move(request);
                        response = Answer(context.handler, answered);
                      }
                      --context.admitted;
                      done(std::move(response));
                    });
}

void SetTarget(std::string_view target, Request& request) {
  const std::size_t mark = target.find('?');
  request.path = PercentDecode(target.substr(0, mark));
  if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
}

}  // namespace stoker::http
