#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http.hpp>

#include "services/common/http/connection.h"

namespace stoker::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

// One request after another. Its state is the I/O thread's; the handler gets a request of its own.
class Http1Connection final : public Connection,
                              public std::enable_shared_from_this<Http1Connection> {
 public:
  Http1Connection(Stream stream, beast::flat_buffer begun, std::string peer,
                  ConnectionContext& context, std::shared_ptr<void> ended)
      : stream_(std::move(stream)),
        buffer_(std::move(begun)),
        peer_(std::move(peer)),
        context_(context),
        ended_(std::move(ended)),
        body_(context.bodies, context.max_body_bytes) {}

  void Start() {
    context_.Enter(weak_from_this());
    ReadHeader();
  }

  void Drain() override {
    if (waiting_) stream_.close();
  }

 private:
  using Message = beast::http::response<beast::http::string_body>;

  // What is read of a body at once.
  static constexpr std::size_t kChunkBytes = 64 << 10;
  static constexpr auto kLinger = std::chrono::seconds(2);

  void ReadHeader() {
    if (context_.draining) return stream_.close();
    waiting_ = true;
    // One large request leaves nothing behind in a connection that is idle after it.
    if (buffer_.size() == 0) buffer_.shrink_to_fit();
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    parser_->body_limit(context_.max_body_bytes);
    stream_.expires_after(absl::ToChronoNanoseconds(context_.idle_timeout));
    beast::http::async_read_header(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->OnHeader(error); });
  }

  void OnHeader(error_code error) {
    waiting_ = false;
    if (error) return OnReadError(error);
    // A slow sender has as long for the body as an idle one had for the header.
    stream_.expires_after(absl::ToChronoNanoseconds(context_.idle_timeout));
    if (beast::iequals(parser_->get()[beast::http::field::expect], "100-continue")) {
      continue_ = {beast::http::status::continue_, parser_->get().version()};
      beast::http::async_write(stream_, continue_,
                               [self = shared_from_this()](error_code failed, std::size_t) {
                                 if (!failed) self->ReadBody();
                               });
      return;
    }
    ReadBody();
  }

  void ReadBody() {
    if (parser_->is_done()) return OnRequest();
    chunk_.resize(kChunkBytes);
    parser_->get().body() = {.data = chunk_.data(), .size = chunk_.size(), .more = true};
    beast::http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->OnChunk(error); });
  }

  void OnChunk(error_code error) {
    const bool more = error == beast::http::error::need_buffer;
    if (error && !more) return OnReadError(error);
    const std::size_t size = chunk_.size() - parser_->get().body().size;
    switch (body_.Append({chunk_.data(), size})) {
      case BodyBuffer::Result::kAdded:
        return more ? ReadBody() : OnRequest();
      case BodyBuffer::Result::kTooLarge:
        return Write(BodyTooLarge(), false, false);
      case BodyBuffer::Result::kNoRoom:
        return Write(NoRoomForBody(), false, false);
    }
  }

  void OnReadError(error_code error) {
    if (error == beast::http::error::body_limit) {
      return Write(BodyTooLarge(), false, false);
    }
    if (error == beast::http::error::header_limit) {
      return Write(Text(431, "request headers too large\n"), false, false);
    }
    const bool ours =
        error.category() == beast::http::make_error_code(beast::http::error::bad_method).category();
    if (ours && error != beast::http::error::end_of_stream &&
        error != beast::http::error::partial_message) {
      Write(Text(400, "bad request\n"), false, false);
    }
  }

  void OnRequest() {
    chunk_ = {};
    stream_.expires_never();
    auto message = parser_->release();
    Request request{.method = std::string(message.method_string()),
                    .version = message.version() == 10 ? "1.0" : "1.1",
                    .peer = peer_};
    SetTarget({message.target().data(), message.target().size()}, request);
    for (const auto& field : message) {
      request.headers.Add(std::string(field.name_string()), std::string(field.value()));
    }
    body_.MoveTo(request);
    const bool head = request.method == "HEAD";
    Dispatch(context_, std::move(request),
             [self = shared_from_this(), keep_alive = message.keep_alive(), head](Response answer) {
               asio::post(self->stream_.get_executor(),
                          [self, answer = std::move(answer), keep_alive, head]() mutable {
                            self->Write(std::move(answer), keep_alive, head);
                          });
             });
  }

  void Write(Response response, bool keep_alive, bool head) {
    keep_alive = keep_alive && !context_.draining;
    message_ = Message(static_cast<beast::http::status>(response.status), 11);
    for (const auto& [name, value] : response.headers.fields()) message_.insert(name, value);
    message_.keep_alive(keep_alive);
    const bool bodiless = response.status == 204 || response.status == 304;
    if (!bodiless) message_.content_length(response.body.size());
    if (!head && !bodiless) message_.body() = std::move(response.body);
    stream_.expires_after(absl::ToChronoNanoseconds(context_.idle_timeout));
    beast::http::async_write(
        stream_, message_, [self = shared_from_this(), keep_alive](error_code error, std::size_t) {
          self->message_ = {};
          if (!error && keep_alive) return self->ReadHeader();
          if (!error) self->Linger();
        });
  }

  // Ends the connection once the peer has stopped sending, for a while at most: closed with bytes
  // unread, the kernel would reset it, and our answer could be lost on the way.
  void Linger() {
    error_code ignored;
    stream_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
    stream_.expires_after(kLinger);
    Discard();
  }

  void Discard() {
    chunk_.resize(kChunkBytes);
    stream_.async_read_some(asio::buffer(chunk_),
                            [self = shared_from_this()](error_code error, std::size_t) {
                              if (!error) self->Discard();
                            });
  }

  Stream stream_;
  beast::flat_buffer buffer_;
  const std::string peer_;
  ConnectionContext& context_;
  const std::shared_ptr<void> ended_;
  std::optional<beast::http::request_parser<beast::http::buffer_body>> parser_;
  BodyBuffer body_;
  // What of it was read last.
  std::vector<char> chunk_;
  // Whether nothing of a request has been read whole.
  bool waiting_ = false;
  beast::http::response<beast::http::empty_body> continue_;
  Message message_;
};

}  // namespace

void ServeHttp1(Stream stream, beast::flat_buffer begun, std::string peer,
                ConnectionContext& context, std::shared_ptr<void> ended) {
  std::make_shared<Http1Connection>(std::move(stream), std::move(begun), std::move(peer), context,
                                    std::move(ended))
      ->Start();
}

}  // namespace stoker::http
