/*
 * For bench/packet.ts only. BPF_PROG_RUN repeats a program over what its last run left of the packet; this puts the packet back as it
 * was before it hands it on, with the next of a number of source ports. Its own cost is measured by handing on to nothing.
 */
#include "include/helpers.h"

/* Of an IPv4 packet without VLAN tag or options, with TCP or UDP: Ethernet, IP, and TCP or UDP with the first data. */
#define HEADER_BYTES 54
#define SOURCE_AT 26
#define PORTS_AT 34
/*
 * The header is written in the pieces in which it is read: else each packet would wait for the writes, and with them for everything
 * before, which no packet from a network card does.
 */
#define COPY(type, at) *(volatile type *)(bytes + (at)) = *(const type *)(template->header + (at))

#define ORDERS 1048576

struct template {
  __u32 length;
  __u32 flows;
  __u32 next;
  /* Not in turn but as `orders` says. */
  __u32 is_ordered;
  __u8 header[HEADER_BYTES];
};

/* Which flow comes next, of one packet after the other. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __type(key, __u32);
  __type(value, __u32);
  __uint(max_entries, ORDERS);
} orders SEC(".maps");

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

INLINE __u32 next_flow(struct template *template) {
  __u32 turn = template->next;
  if (!template->is_ordered) {
    template->next = turn + 1 >= template->flows ? 0 : turn + 1;
    return turn;
  }
  template->next = (turn + 1) % ORDERS;
  __u32 *flow = bpf_map_lookup_elem(&orders, &turn);
  return flow ? *flow : 0;
}

SEC("xdp")
int restore(struct xdp_md *context) {
  __u32 zero = 0;
  struct template *template = bpf_map_lookup_elem(&templates, &zero);
  if (!template) return XDP_ABORTED;
  void *end = (void *)(long)context->data_end, *start = (void *)(long)context->data;
  int surplus = (int)(end - start) - (int)template->length;
  if (surplus != 0 && bpf_xdp_adjust_head(context, surplus)) return XDP_ABORTED;
  __u8 *bytes = (void *)(long)context->data;
  if ((void *)(bytes + HEADER_BYTES) > (void *)(long)context->data_end) return XDP_ABORTED;
  __u32 flow = next_flow(template);
  COPY(__u64, 0);
  COPY(__u32, 8);
  COPY(__u16, 12);
  COPY(__u64, 14);
  COPY(__u32, 22);
  COPY(__u32, 30);
  COPY(__u64, 38);
  COPY(__u64, 46);
  // 16 bits of port and 8 of address: up to 16 million flows.
  *(volatile __u32 *)(bytes + SOURCE_AT) = *(const __u32 *)(template->header + SOURCE_AT) ^ (flow & 0xff0000) << 8;
  *(volatile __u32 *)(bytes + PORTS_AT) = *(const __u32 *)(template->header + PORTS_AT) ^ swap16(flow);
  bpf_tail_call(context, &target, 0);
  return XDP_PASS;
}

SEC("xdp")
int nothing(struct xdp_md *context) {
  return XDP_PASS;
}

/* Makes room for an outer IPv4 header, as a tunnel does. */
SEC("xdp")
int grow(struct xdp_md *context) {
  return bpf_xdp_adjust_head(context, -20) ? XDP_ABORTED : XDP_PASS;
}

char program_license[] SEC("license") = "GPL";
