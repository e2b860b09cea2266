#include "services/store/page/page_assets.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>
#include <zlib.h>

namespace stoker::store {
namespace {

// What the page may weigh as it goes over the wire.
constexpr std::size_t kMaxCompressedBytes = 150 * 1024;

const Asset* Find(std::string_view path) {
  const auto assets = PageAssets();
  const auto it = std::ranges::find(assets, path, &Asset::path);
  return it == assets.end() ? nullptr : &*it;
}

std::string Inflate(std::string_view bytes) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);
  std::string out(8 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

// The page itself is there and is HTML.
TEST(PageAssetsTest, HasThePage) {
  const Asset* page = Find("/");
  ASSERT_NE(page, nullptr);
  EXPECT_EQ(page->content_type, "text/html; charset=utf-8");
  ASSERT_TRUE(page->gzip);
  EXPECT_TRUE(Inflate(page->bytes).starts_with("<!doctype html>"));
}

// The page refers to every other file by its hashed path, so that all of them can be cached.
TEST(PageAssetsTest, PageRefersToEachFile) {
  const std::string page = Inflate(Find("/")->bytes);
  for (const Asset& asset : PageAssets()) {
    if (asset.path == "/") continue;
    EXPECT_TRUE(asset.path.starts_with("/assets/")) << asset.path;
    EXPECT_NE(page.find(asset.path.substr(1)), std::string::npos) << asset.path;
  }
}

// A page that names another host would not work without internet, and would say who looks.
TEST(PageAssetsTest, AsksNoOtherHost) {
  const std::string page = Inflate(Find("/")->bytes);
  EXPECT_EQ(page.find("//"), std::string::npos);
  EXPECT_NE(page.find("connect-src 'self'"), std::string::npos);
}

// All files together stay below the budget.
TEST(PageAssetsTest, IsLight) {
  std::size_t sum = 0;
  for (const Asset& asset : PageAssets()) sum += asset.bytes.size();
  EXPECT_LT(sum, kMaxCompressedBytes);
}

}  // namespace
}  // namespace stoker::store
