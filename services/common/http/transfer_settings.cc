#include <cstdlib>

#include "services/common/base/status.h"
#include "services/common/http/transfer.h"

namespace stoker::http {
namespace {

// What a setting says itself or its file holds; "" for neither.
absl::StatusOr<std::string> TextOrFile(const std::string& text, const std::string& path,
                                       FileCache& files) {
  if (path.empty()) return text;
  return files.Read(path);
}

// Content and not paths: libcurl keeps what it read of a path.
void SetBlob(CURL* easy, CURLoption option, const std::string& content) {
  if (content.empty()) return;
  curl_blob blob{
      .data = const_cast<char*>(content.data()), .len = content.size(), .flags = CURL_BLOB_COPY};
  curl_easy_setopt(easy, option, &blob);
}

absl::StatusOr<long> SslVersion(const std::string& name) {
  if (name.empty() || name == "TLS12") return CURL_SSLVERSION_TLSv1_2;
  if (name == "TLS10") return CURL_SSLVERSION_TLSv1_0;
  if (name == "TLS11") return CURL_SSLVERSION_TLSv1_1;
  if (name == "TLS13") return CURL_SSLVERSION_TLSv1_3;
  return InvalidArgument("unknown TLS version: {}", name);
}

// libcurl reads every variable but HTTP_PROXY, which a CGI request could set.
const char* UpperCaseHttpProxy(const std::string& url) {
  const bool http = url.starts_with("http://");
  if (!http || std::getenv("http_proxy") != nullptr || std::getenv("REQUEST_METHOD") != nullptr) {
    return nullptr;
  }
  return std::getenv("HTTP_PROXY");
}

}  // namespace

absl::Status Transfer::SetTls(const config::TlsConfig& tls, FileCache& files) {
  STOKER_ASSIGN_OR_RETURN(const long version, SslVersion(tls.min_version));
  STOKER_ASSIGN_OR_RETURN(const std::string ca, TextOrFile(tls.ca_pem, tls.ca_file, files));
  STOKER_ASSIGN_OR_RETURN(const std::string cert, TextOrFile(tls.cert_pem, tls.cert_file, files));
  STOKER_ASSIGN_OR_RETURN(const std::string key,
                          TextOrFile(tls.key_pem.value, tls.key_file, files));
  if (ca.empty() && !tls.ca_file.empty()) return InvalidArgument("{} is empty", tls.ca_file);
  curl_easy_setopt(easy_, CURLOPT_SSLVERSION, version);
  SetBlob(easy_, CURLOPT_CAINFO_BLOB, ca);
  SetBlob(easy_, CURLOPT_SSLCERT_BLOB, cert);
  SetBlob(easy_, CURLOPT_SSLKEY_BLOB, key);
  if (tls.insecure_skip_verify) {
    curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  return SetServerName(tls.server_name);
}

absl::Status Transfer::SetProxy(const config::ProxyConfig& proxy) {
  if (!proxy.proxy_from_environment) {
    // Even when empty: they keep libcurl from the environment.
    curl_easy_setopt(easy_, CURLOPT_PROXY, proxy.proxy_url.c_str());
    curl_easy_setopt(easy_, CURLOPT_NOPROXY, proxy.no_proxy.c_str());
  } else if (const char* url = UpperCaseHttpProxy(request_.url); url != nullptr) {
    curl_easy_setopt(easy_, CURLOPT_PROXY, url);
  }
  for (const auto& [name, values] : proxy.proxy_connect_header) {
    for (const config::Secret& value : values) {
      if (value.value.find_first_of("\r\n") != std::string::npos) {
        return InvalidArgument("the value of proxy_connect_header {} has a line break", name);
      }
      proxy_headers_ = curl_slist_append(proxy_headers_, (name + ": " + value.value).c_str());
    }
  }
  curl_easy_setopt(easy_, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
  curl_easy_setopt(easy_, CURLOPT_PROXYHEADER, proxy_headers_);
  return absl::OkStatus();
}

}  // namespace stoker::http
