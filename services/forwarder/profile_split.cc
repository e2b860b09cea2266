#include "services/forwarder/profile_split.h"

#include <cstring>
#include <string>

#include <xxhash.h>

#include "services/common/pprof/gzip.h"
#include "services/common/pprof/reader.h"
#include "services/common/pprof/split.h"

namespace stoker::forwarder {
namespace {

std::string PartId(const std::string& id, std::uint64_t part) {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(id.data(), id.size(), part + 1);
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, hash);
  return {reinterpret_cast<const char*>(bytes.digest), sizeof(bytes.digest)};
}

}  // namespace

bool IsLarge(const profile::v1::Profile& profile) {
  const std::string& bytes = profile.pprof();
  std::size_t size = bytes.size();
  // A gzip member ends in its inflated size (RFC 1952, 2.3.1).
  if (pprof::IsGzip(bytes) && bytes.size() >= 18) {
    std::uint32_t inflated = 0;
    std::memcpy(&inflated, bytes.data() + bytes.size() - sizeof(inflated), sizeof(inflated));
    size = inflated;
  }
  return size > pprof::SplitLimits{}.max_bytes;
}

std::vector<profile::v1::Profile> SplitProfile(const profile::v1::Profile& profile) {
  std::vector<profile::v1::Profile> parts;
  const auto read = pprof::Read(profile.pprof());
  if (!read.ok() || !pprof::NeedsSplit(*read)) return parts;
  std::vector<std::string> pprofs = pprof::Split(*read);
  profile::v1::Profile head = profile;
  head.clear_payload();
  for (std::size_t i = 0; i < pprofs.size(); ++i) {
    profile::v1::Profile& part = parts.emplace_back(head);
    part.set_id(PartId(profile.id(), i));
    part.set_pprof(pprof::Gzip(pprofs[i]));
  }
  return parts;
}

}  // namespace stoker::forwarder
