#pragma once

#include <string>
#include <vector>

#include <curl/curl.h>

namespace stoker::store {

// What a server answered; status 0 when it did not.
struct HttpAnswer {
  long status = 0;
  std::string body;
  std::string headers;
};

inline std::size_t AppendTo(char* data, std::size_t size, std::size_t count, void* text) {
  static_cast<std::string*>(text)->append(data, size * count);
  return size * count;
}

// A GET, or with header fields a POST of `body`, for tests.
inline HttpAnswer CallHttp(const std::string& url, const std::vector<std::string>& fields = {},
                           const std::string& body = "", long version = CURL_HTTP_VERSION_1_1) {
  HttpAnswer answer;
  CURL* const curl = curl_easy_init();
  curl_slist* list = nullptr;
  for (const std::string& field : fields) list = curl_slist_append(list, field.c_str());
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, version);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, AppendTo);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, AppendTo);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer.headers);
  if (!fields.empty()) {
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data());
  }
  if (curl_easy_perform(curl) == CURLE_OK) {
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
  }
  curl_slist_free_all(list);
  curl_easy_cleanup(curl);
  return answer;
}

}  // namespace stoker::store
