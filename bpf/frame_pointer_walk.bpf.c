// SPDX-License-Identifier: GPL-2.0
// The kernel's own walk by frame pointers, to compare with.
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct frames {
  __u64 address[127];
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct frames);
} scratch SEC(".maps");

// Frames that were found, and walks.
__u64 frames = 0;
__u64 walks = 0;

SEC("perf_event")
int walk(struct bpf_perf_event_data* context) {
  __u32 zero = 0;
  struct frames* to = bpf_map_lookup_elem(&scratch, &zero);
  if (!to) return 0;
  long bytes = bpf_get_stack(context, to, sizeof(*to), BPF_F_USER_STACK);
  if (bytes > 0) frames += bytes / 8;
  walks++;
  return 0;
}
