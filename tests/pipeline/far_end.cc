#include "tests/pipeline/far_end.h"

#include <utility>

#include <gtest/gtest.h>

#include "proto/push/v1/push.pb.h"
#include "services/common/pprof/reader.h"

namespace stoker::pipeline {
namespace {

// Samples of a profile whose values are samples times period.
std::uint64_t SamplesOf(const std::string& bytes) {
  const auto profile = pprof::Read(bytes);
  EXPECT_TRUE(profile.ok()) << profile.status();
  if (!profile.ok()) return 0;
  EXPECT_GT(profile->period, 0);
  std::int64_t sum = 0;
  for (const std::int64_t value : profile->values) sum += value;
  EXPECT_EQ(sum % profile->period, 0);
  return static_cast<std::uint64_t>(sum / profile->period);
}

}  // namespace

class FarEnd::Client final : public forwarder::PushClient {
 public:
  explicit Client(FarEnd& end) : end_(end) {}
  void Post(forwarder::HttpPost post, std::function<void(forwarder::HttpAnswer)> done) override {
    end_.requests_.push_back({std::move(post.body), std::move(done)});
  }

 private:
  FarEnd& end_;
};

std::unique_ptr<forwarder::PushClient> FarEnd::NewClient() {
  return std::make_unique<Client>(*this);
}

void FarEnd::Answer() {
  for (const Request& request : std::exchange(requests_, {})) {
    if (mood == Mood::kUnavailable) {
      request.done({.status = 503, .body = R"({"code":"unavailable","message":"away"})"});
      continue;
    }
    Take(request.body);
    if (mood == Mood::kTakes) request.done({.status = 200});
  }
}

void FarEnd::Take(const std::string& body) {
  push::v1::PushRequest request;
  ASSERT_TRUE(request.ParseFromString(body));
  for (const auto& series : request.series()) {
    std::string service;
    for (const auto& label : series.labels()) {
      if (label.name() == "service_name") service = label.value();
    }
    for (const auto& sample : series.samples()) {
      if (ids_.insert(sample.id()).second) {
        samples_[service] += SamplesOf(sample.raw_profile());
      } else {
        ++replays_;
      }
    }
  }
}

std::uint64_t FarEnd::TotalSamples() const {
  std::uint64_t total = 0;
  for (const auto& [service, samples] : samples_) total += samples;
  return total;
}

}  // namespace stoker::pipeline
