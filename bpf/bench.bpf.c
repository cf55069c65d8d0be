/*
 * For bench/packet.ts only. BPF_PROG_RUN repeats a program over what its last run left of the packet; this puts the packet back as it
 * was before it hands it on, with the next of a number of source ports. Its own cost is measured by handing on to nothing.
 */
#include "include/helpers.h"

#define HEADER_WORDS 12
/* Of an IPv4 packet without VLAN tag or options. */
#define ADDRESS_AT 29
#define PORT_AT 34

struct template {
  __u32 length;
  __u32 flows;
  __u32 next;
  __u32 unused;
  __u64 header[HEADER_WORDS];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __type(key, __u32);
  __type(value, struct template);
  __uint(max_entries, 1);
} templates SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(key_size, 4);
  __uint(value_size, 4);
  __uint(max_entries, 1);
} target SEC(".maps");

static long (*bpf_tail_call)(void *context, void *map, __u32 index) = (void *)12;

SEC("xdp")
int restore(struct xdp_md *context) {
  __u32 zero = 0;
  struct template *template = bpf_map_lookup_elem(&templates, &zero);
  if (!template) return XDP_ABORTED;
  void *end = (void *)(long)context->data_end, *start = (void *)(long)context->data;
  int surplus = (int)(end - start) - (int)template->length;
  if (surplus != 0 && bpf_xdp_adjust_head(context, surplus)) return XDP_ABORTED;
  __u8 *bytes = (void *)(long)context->data;
  if ((void *)(bytes + HEADER_WORDS * 8) > (void *)(long)context->data_end) return XDP_ABORTED;
#pragma clang loop unroll(full)
  for (int i = 0; i < HEADER_WORDS; i++) ((__u64 *)bytes)[i] = template->header[i];
  /* 16 bits of port and 8 of address: up to 16 million flows. */
  __u32 flow = template->next;
  template->next = flow + 1 >= template->flows ? 0 : flow + 1;
  bytes[PORT_AT] = flow >> 8;
  bytes[PORT_AT + 1] = flow;
  bytes[ADDRESS_AT] = flow >> 16;
  bpf_tail_call(context, &target, 0);
  return XDP_PASS;
}

SEC("xdp")
int nothing(struct xdp_md *context) {
  return XDP_PASS;
}

char program_license[] SEC("license") = "GPL";
