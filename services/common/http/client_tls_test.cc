#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include "services/common/base/unique_fd.h"
#include "services/common/http/client.h"

namespace stoker::http {
namespace {

using ::testing::HasSubstr;

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Cert = std::unique_ptr<X509, Freed<X509_free>>;

std::string Text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

// A key and its certificate, signed by `issuer` or by itself.
struct Identity {
  explicit Identity(const char* name, const Identity* issuer = nullptr, const char* alt = nullptr)
      : key(EVP_EC_gen("P-256")), cert(X509_new()) {
    X509_set_version(cert.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), issuer == nullptr ? 1 : 2);
    X509_gmtime_adj(X509_getm_notBefore(cert.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert.get()), 3600);
    X509_set_pubkey(cert.get(), key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    const Identity& signer = issuer == nullptr ? *this : *issuer;
    X509_set_issuer_name(cert.get(), X509_get_subject_name(signer.cert.get()));
    if (issuer == nullptr) Extend(NID_basic_constraints, "critical,CA:TRUE");
    if (alt != nullptr) Extend(NID_subject_alt_name, alt);
    X509_sign(cert.get(), signer.key.get(), EVP_sha256());
  }

  void Extend(int nid, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    X509_add_ext(cert.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  [[nodiscard]] std::string CertPem() const {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, cert.get());
    return Text(bio);
  }
  [[nodiscard]] std::string KeyPem() const {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    return Text(bio);
  }

  Key key;
  Cert cert;
};

// Answers each connection's one request with the client certificate's name and the Host field.
class TlsServer {
 public:
  TlsServer(const Identity& identity, const Identity& client_ca, bool wants_client, int max_version)
      : context_(SSL_CTX_new(TLS_server_method())),
        listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    // A client that refuses a certificate is gone before OpenSSL's last write to it.
    signal(SIGPIPE, SIG_IGN);
    SSL_CTX_use_certificate(context_.get(), identity.cert.get());
    SSL_CTX_use_PrivateKey(context_.get(), identity.key.get());
    SSL_CTX_set_max_proto_version(context_.get(), max_version);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), client_ca.cert.get());
    if (wants_client) {
      SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                         nullptr);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size);
    listen(listener_.get(), 16);
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~TlsServer() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

  [[nodiscard]] std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }

 private:
  void Serve() {
    for (;;) {
      const UniqueFd connection(accept(listener_.get(), nullptr, nullptr));
      if (!connection.valid()) return;
      SSL* ssl = SSL_new(context_.get());
      SSL_set_fd(ssl, connection.get());
      if (SSL_accept(ssl) == 1) Answer(ssl);
      SSL_shutdown(ssl);
      SSL_free(ssl);
    }
  }

  static void Answer(SSL* ssl) {
    std::string request;
    char buffer[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const int size = SSL_read(ssl, buffer, sizeof buffer);
      if (size <= 0) return;
      request.append(buffer, static_cast<std::size_t>(size));
    }
    const std::size_t host = request.find("Host: ");
    std::string body = request.substr(host, request.find('\r', host) - host) + " peer=";
    if (const Cert peer(SSL_get1_peer_certificate(ssl)); peer != nullptr) {
      char name[64];
      X509_NAME_get_text_by_NID(X509_get_subject_name(peer.get()), NID_commonName, name,
                                sizeof name);
      body += name;
    }
    const std::string answer =
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    SSL_write(ssl, answer.data(), static_cast<int>(answer.size()));
  }

  const std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>> context_;
  const UniqueFd listener_;
  int port_ = 0;
  std::thread thread_;
};

class ClientTlsTest : public ::testing::Test {
 protected:
  absl::StatusOr<Response> Ask(const config::TlsConfig& tls, bool wants_client = false,
                               int max_version = 0) const {
    const TlsServer server(identity_, ca_, wants_client, max_version);
    config::HttpClientConfig config;
    config.tls = tls;
    return Client::Make(config)->Do({.url = server.url() + "/"});
  }

  const Identity ca_{"Test CA"};
  const Identity other_ca_{"Other CA"};
  const Identity identity_{"server", &ca_, "IP:127.0.0.1,DNS:pyroscope.test"};
  const Identity client_{"client", &ca_};
};

// A server is believed only when a known authority signed it; insecure_skip_verify says otherwise.
TEST_F(ClientTlsTest, Verifies) {
  EXPECT_TRUE(Ask({.ca_pem = ca_.CertPem()}).ok());
  EXPECT_TRUE(Ask({.insecure_skip_verify = true}).ok());
  for (const std::string& ca : {std::string(), other_ca_.CertPem()}) {
    const auto refused = Ask({.ca_pem = ca});
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(refused.status().message()),
                ::testing::AllOf(HasSubstr("https://127.0.0.1:"), HasSubstr("certificate")));
  }
}

// server_name is what the certificate must hold, and leaves the Host field alone.
TEST_F(ClientTlsTest, ServerName) {
  const auto answer = Ask({.ca_pem = ca_.CertPem(), .server_name = "pyroscope.test"});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_THAT(answer->body, HasSubstr("Host: 127.0.0.1:"));
  EXPECT_FALSE(Ask({.ca_pem = ca_.CertPem(), .server_name = "other.test"}).ok());
}

// A client certificate is shown to a server that wants one.
TEST_F(ClientTlsTest, ClientCertificate) {
  const auto answer =
      Ask({.ca_pem = ca_.CertPem(), .cert_pem = client_.CertPem(), .key_pem = {client_.KeyPem()}},
          true);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_THAT(answer->body, HasSubstr("peer=client"));
  EXPECT_FALSE(Ask({.ca_pem = ca_.CertPem()}, true).ok());
}

// A server below min_version is refused.
TEST_F(ClientTlsTest, MinVersion) {
  EXPECT_TRUE(Ask({.ca_pem = ca_.CertPem()}, false, TLS1_2_VERSION).ok());
  EXPECT_FALSE(Ask({.ca_pem = ca_.CertPem(), .min_version = "TLS13"}, false, TLS1_2_VERSION).ok());
  EXPECT_EQ(Ask({.min_version = "SSL3"}).status().code(), absl::StatusCode::kInvalidArgument);
}

// A new content of ca_file counts from the next request on.
TEST_F(ClientTlsTest, AuthorityRotates) {
  char folder[] = "/tmp/client_tls_test.XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/ca.pem";
  std::ofstream(path) << other_ca_.CertPem();
  const TlsServer server(identity_, ca_, false, 0);
  const auto client = Client::Make({.tls = {.ca_file = path}});
  EXPECT_FALSE(client->Do({.url = server.url() + "/"}).ok());
  std::ofstream(path, std::ios::trunc) << ca_.CertPem() << "\n";
  const auto answer = client->Do({.url = server.url() + "/"});
  EXPECT_TRUE(answer.ok()) << answer.status();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace stoker::http
