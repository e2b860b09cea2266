#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <nghttp2/nghttp2.h>

#include "services/common/http/connection.h"

namespace stoker::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

constexpr std::size_t kReadBytes = 64 << 10;
// What is handed to the socket at once.
constexpr std::size_t kWriteBytes = 256 << 10;
constexpr std::uint32_t kMaxStreams = 256;
// Flow control: what a peer may send ahead on a stream, and on all together.
constexpr std::uint32_t kStreamWindow = 1 << 20;
constexpr std::int32_t kConnectionWindow = 8 << 20;

struct SessionDeleter {
  void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
};

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// nghttp2 reads and writes frames; this moves bytes and gathers requests. Its state is the I/O
// thread's; each handler gets a request of its own.
class Http2Connection final : public Connection,
                              public std::enable_shared_from_this<Http2Connection> {
 public:
  Http2Connection(Stream stream, beast::flat_buffer begun, std::string peer,
                  ConnectionContext& context, std::shared_ptr<void> ended)
      : stream_(std::move(stream)),
        buffer_(std::move(begun)),
        peer_(std::move(peer)),
        context_(context),
        ended_(std::move(ended)),
        session_(MakeSession(this)) {}

  void Start() {
    context_.Enter(weak_from_this());
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kMaxStreams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMaxHeaderBytes}};
    nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, settings, std::size(settings));
    nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
    Feed();
  }

  void Drain() override {
    nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR,
                          nullptr, 0);
    Write();
  }

 private:
  // A request that is being read, then the response that is being written.
  struct Exchange {
    explicit Exchange(ConnectionContext& context) : body(context.bodies, context.max_body_bytes) {}

    Request request;
    BodyBuffer body;
    std::size_t header_bytes = 0;
    // Answered before its body was whole; the rest is not kept.
    bool refused = false;
    Response response;
    std::size_t sent = 0;
  };

  static std::unique_ptr<nghttp2_session, SessionDeleter> MakeSession(Http2Connection* self) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnStreamClose);
    nghttp2_session* session = nullptr;
    nghttp2_session_server_new(&session, callbacks, self);
    nghttp2_session_callbacks_del(callbacks);
    return std::unique_ptr<nghttp2_session, SessionDeleter>(session);
  }

  static Http2Connection& Self(void* user_data) {
    return *static_cast<Http2Connection*>(user_data);
  }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    auto& self = Self(user_data);
    Exchange& exchange =
        self.exchanges_.try_emplace(frame->hd.stream_id, self.context_).first->second;
    exchange.request.version = "2";
    exchange.request.peer = Self(user_data).peer_;
    return 0;
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                      std::uint8_t, void* user_data) {
    auto& exchanges = Self(user_data).exchanges_;
    const auto it = exchanges.find(frame->hd.stream_id);
    if (it == exchanges.end()) return 0;
    Exchange& exchange = it->second;
    exchange.header_bytes += name_size + value_size;
    if (exchange.header_bytes > kMaxHeaderBytes) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const std::string key(reinterpret_cast<const char*>(name), name_size);
    std::string text(reinterpret_cast<const char*>(value), value_size);
    if (key == ":method") {
      exchange.request.method = std::move(text);
    } else if (key == ":path") {
      SetTarget(text, exchange.request);
    } else if (key == ":authority") {
      exchange.request.headers.Add("host", std::move(text));
    } else if (!key.starts_with(':')) {
      exchange.request.headers.Add(key, std::move(text));
    }
    return 0;
  }

  static int OnData(nghttp2_session*, std::uint8_t, std::int32_t stream_id,
                    const std::uint8_t* data, std::size_t size, void* user_data) {
    auto& self = Self(user_data);
    const auto it = self.exchanges_.find(stream_id);
    if (it == self.exchanges_.end() || it->second.refused) return 0;
    const BodyBuffer::Result result =
        it->second.body.Append({reinterpret_cast<const char*>(data), size});
    if (result == BodyBuffer::Result::kAdded) return 0;
    it->second.refused = true;
    self.Respond(stream_id,
                 result == BodyBuffer::Result::kTooLarge ? BodyTooLarge() : NoRoomForBody());
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      Self(user_data).Handle(frame->hd.stream_id);
    }
    return 0;
  }

  static int OnStreamClose(nghttp2_session*, std::int32_t stream_id, std::uint32_t,
                           void* user_data) {
    Self(user_data).exchanges_.erase(stream_id);
    return 0;
  }

  static ssize_t ReadBody(nghttp2_session* session, std::int32_t stream_id, std::uint8_t* buffer,
                          std::size_t size, std::uint32_t* flags, nghttp2_data_source*,
                          void* user_data) {
    auto& exchanges = Self(user_data).exchanges_;
    const auto it = exchanges.find(stream_id);
    if (it == exchanges.end()) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    Exchange& exchange = it->second;
    const std::size_t count = std::min(size, exchange.response.body.size() - exchange.sent);
    std::copy_n(exchange.response.body.data() + exchange.sent, count, buffer);
    exchange.sent += count;
    if (exchange.sent < exchange.response.body.size()) return static_cast<ssize_t>(count);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!exchange.response.trailers.fields().empty()) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const Fields trailers(exchange.response.trailers);
      nghttp2_submit_trailer(session, stream_id, trailers.data(), trailers.size());
    }
    return static_cast<ssize_t>(count);
  }

  // Header fields as nghttp2 takes them: names in lower case, of no connection-level kind.
  class Fields {
   public:
    explicit Fields(const Headers& headers, int status = 0) {
      if (status != 0) texts_.emplace_back(":status", std::to_string(status));
      for (const auto& [name, value] : headers.fields()) {
        std::string lower = Lower(name);
        if (lower != "connection" && lower != "transfer-encoding" && lower != "keep-alive") {
          texts_.emplace_back(std::move(lower), value);
        }
      }
      for (auto& [name, value] : texts_) {
        fields_.push_back({reinterpret_cast<std::uint8_t*>(name.data()),
                           reinterpret_cast<std::uint8_t*>(value.data()), name.size(), value.size(),
                           NGHTTP2_NV_FLAG_NONE});
      }
    }
    [[nodiscard]] const nghttp2_nv* data() const { return fields_.data(); }
    [[nodiscard]] std::size_t size() const { return fields_.size(); }

   private:
    std::vector<std::pair<std::string, std::string>> texts_;
    std::vector<nghttp2_nv> fields_;
  };

  void Handle(std::int32_t stream_id) {
    const auto it = exchanges_.find(stream_id);
    if (it == exchanges_.end() || it->second.refused) return;
    it->second.body.MoveTo(it->second.request);
    const bool head = it->second.request.method == "HEAD";
    Dispatch(context_, std::move(it->second.request),
             [self = shared_from_this(), stream_id, head](Response answer) {
               if (head) answer.body.clear();
               asio::post(self->stream_.get_executor(),
                          [self, stream_id, answer = std::move(answer)]() mutable {
                            self->Respond(stream_id, std::move(answer));
                            self->Write();
                          });
             });
  }

  void Respond(std::int32_t stream_id, Response response) {
    const auto it = exchanges_.find(stream_id);
    if (it == exchanges_.end()) return;
    it->second.response = std::move(response);
    const Response& kept = it->second.response;
    const Fields fields(kept.headers, kept.status);
    nghttp2_data_provider body{};
    body.read_callback = ReadBody;
    const bool bodiless = kept.body.empty() && kept.trailers.fields().empty();
    nghttp2_submit_response(session_.get(), stream_id, fields.data(), fields.size(),
                            bodiless ? nullptr : &body);
  }

  // Gives nghttp2 what was read; reads on unless the session is over.
  void Feed() {
    const auto bytes = buffer_.cdata();
    const ssize_t used = nghttp2_session_mem_recv(
        session_.get(), static_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    if (used < 0) return Close();
    buffer_.consume(bytes.size());
    Write();
    if (nghttp2_session_want_read(session_.get()) == 0) return;
    stream_.expires_after(absl::ToChronoNanoseconds(context_.idle_timeout));
    stream_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = shared_from_this()](error_code error, std::size_t size) {
                              if (error) return self->Close();
                              self->buffer_.commit(size);
                              self->Feed();
                            });
  }

  void Write() {
    if (writing_) return;
    outgoing_.clear();
    while (outgoing_.size() < kWriteBytes) {
      const std::uint8_t* bytes = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_.get(), &bytes);
      if (size <= 0) break;
      outgoing_.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    }
    if (outgoing_.empty()) {
      const bool drained = context_.draining && exchanges_.empty();
      if (drained || nghttp2_session_want_read(session_.get()) == 0) Close();
      return;
    }
    writing_ = true;
    asio::async_write(stream_, asio::buffer(outgoing_),
                      [self = shared_from_this()](error_code error, std::size_t) {
                        self->writing_ = false;
                        if (error) return self->Close();
                        self->Write();
                      });
  }

  void Close() {
    error_code ignored;
    stream_.socket().close(ignored);
  }

  Stream stream_;
  beast::flat_buffer buffer_;
  const std::string peer_;
  ConnectionContext& context_;
  const std::shared_ptr<void> ended_;
  std::map<std::int32_t, Exchange> exchanges_;
  std::string outgoing_;
  bool writing_ = false;
  // Destroyed first: its callbacks use the rest.
  const std::unique_ptr<nghttp2_session, SessionDeleter> session_;
};

}  // namespace

void ServeHttp2(Stream stream, beast::flat_buffer begun, std::string peer,
                ConnectionContext& context, std::shared_ptr<void> ended) {
  std::make_shared<Http2Connection>(std::move(stream), std::move(begun), std::move(peer), context,
                                    std::move(ended))
      ->Start();
}

}  // namespace stoker::http
