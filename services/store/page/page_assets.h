#pragma once

#include <span>
#include <string_view>

namespace stoker::store {

// One file of the page, as it is to be served.
struct Asset {
  // Absolute, such as "/assets/page-1a2b3c4d.js"; "/" is the page itself. A path under /assets/
  // holds a hash of its content, so it may be cached for ever; "/" must be revalidated.
  std::string_view path;
  std::string_view content_type;
  std::string_view bytes;
  // The bytes are gzip and need `Content-Encoding: gzip`.
  bool gzip;
};

// All files, ordered by path; static, never empty. page_assets.cc is made by embed.py.
[[nodiscard]] std::span<const Asset> PageAssets();

}  // namespace stoker::store
