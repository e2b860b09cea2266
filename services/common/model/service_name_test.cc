#include "services/common/model/service_name.h"

#include <gtest/gtest.h>

namespace stoker::model {
namespace {

// Each source gives way to those before it.
TEST(ServiceNameTest, Order) {
  Labels target;
  EXPECT_EQ(InferServiceName(target, "ebpf/"), "unspecified");
  target.Set("__meta_dockerswarm_service_name", "swarm");
  EXPECT_EQ(InferServiceName(target, "ebpf/"), "swarm");
  target.Set("__meta_dockerswarm_container_label_service_name", "labelled");
  EXPECT_EQ(InferServiceName(target, "ebpf/"), "labelled");
  target.Set("__meta_docker_container_name", "/web");
  EXPECT_EQ(InferServiceName(target, "ebpf/"), "/web");
  target.Set("__meta_kubernetes_namespace", "shop");
  EXPECT_EQ(InferServiceName(target, "ebpf/"), "/web");
  target.Set("__meta_kubernetes_pod_container_name", "cart");
  EXPECT_EQ(InferServiceName(target, "ebpf/"), "ebpf/shop/cart");
  EXPECT_EQ(InferServiceName(target, ""), "shop/cart");
  target.Set("__meta_kubernetes_pod_annotation_pyroscope_io_service_name", "annotated");
  EXPECT_EQ(InferServiceName(target, "java/"), "annotated");
  target.Set("service_name", "own");
  EXPECT_EQ(InferServiceName(target, "java/"), "own");
}

}  // namespace
}  // namespace stoker::model
