#include "services/common/http/shown_url.h"

#include <memory>

#include <curl/curl.h>
#include <fmt/format.h>

namespace stoker::http {
namespace {

std::string Part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) return "";
  std::string copy = text;
  curl_free(text);
  return copy;
}

}  // namespace

std::string ShownUrl(const std::string& url) {
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), &curl_url_cleanup);
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return "(bad URL)";
  return fmt::format("{}://{}:{}{}", Part(parsed.get(), CURLUPART_SCHEME),
                     Part(parsed.get(), CURLUPART_HOST), Part(parsed.get(), CURLUPART_PORT),
                     Part(parsed.get(), CURLUPART_PATH));
}

}  // namespace stoker::http
