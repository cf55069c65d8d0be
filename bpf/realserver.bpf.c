/*
 * On a server behind a tunnel: takes the outer packet off and hands the inner one to the stack, if it is for an address that this
 * server was told to serve. It stands in for the ipip device, which many kernels and containers do not have. Anything else is passed
 * as it came.
 */
#include "include/packet.h"

MAP(vips, BPF_MAP_TYPE_HASH, struct address, __u32, 256);

const volatile __u32 gue_port = 6080;

/* The length of the outer headers of a tunnelled packet whose IP header is at `l3`, and what is inside; 0 if it is none. */
INLINE __u32 outer_length(struct xdp_md *context, __u32 l3, __be16 protocol, __u8 *next) {
  __u32 length;
  if (protocol == swap16(ETH_P_IP)) {
    struct iphdr *ip = bytes_at(context, l3, sizeof *ip);
    if (!ip || ip->version != 4 || ip->ihl != 5 || ip->frag_off & swap16(0x3fff)) return 0;
    length = sizeof *ip;
    *next = ip->protocol;
  } else if (protocol == swap16(ETH_P_IPV6)) {
    struct ipv6hdr *ip = bytes_at(context, l3, sizeof *ip);
    if (!ip || ip->version != 6) return 0;
    length = sizeof *ip;
    *next = ip->nexthdr;
  } else {
    return 0;
  }
  if (*next == IPPROTO_IPIP || *next == IPPROTO_IPV6) return length;
  if (*next != IPPROTO_UDP) return 0;
  struct udphdr *udp = bytes_at(context, l3 + length, sizeof *udp);
  __u8 *inner = bytes_at(context, l3 + length + sizeof *udp, 1);
  if (!udp || !inner || udp->dest != swap16(gue_port)) return 0;
  // GUE variant 1: the first four bits are the version of the inner IP header.
  *next = *inner >> 4 == 4 ? IPPROTO_IPIP : *inner >> 4 == 6 ? IPPROTO_IPV6 : 0;
  return *next ? length + sizeof *udp : 0;
}

INLINE int is_served(struct xdp_md *context, __u32 inner, __u8 next) {
  struct address destination;
  if (next == IPPROTO_IPIP) {
    struct iphdr *ip = bytes_at(context, inner, sizeof *ip);
    if (!ip || ip->version != 4) return 0;
    set_ipv4(&destination, ip->daddr);
  } else {
    struct ipv6hdr *ip = bytes_at(context, inner, sizeof *ip);
    if (!ip || ip->version != 6) return 0;
    set_ipv6(&destination, &ip->daddr);
  }
  return bpf_map_lookup_elem(&vips, &destination) != 0;
}

SEC("xdp")
int decapsulate(struct xdp_md *context) {
  struct ethhdr *ethernet = bytes_at(context, 0, sizeof *ethernet);
  if (!ethernet) return XDP_PASS;
  struct ethhdr copy = *ethernet;
  __u8 next = 0;
  __u32 length = outer_length(context, sizeof copy, copy.h_proto, &next);
  if (length == 0 || !is_served(context, sizeof copy + length, next)) return XDP_PASS;
  if (bpf_xdp_adjust_head(context, length)) return XDP_DROP;
  ethernet = bytes_at(context, 0, sizeof *ethernet);
  if (!ethernet) return XDP_DROP;
  *ethernet = copy;
  ethernet->h_proto = next == IPPROTO_IPIP ? swap16(ETH_P_IP) : swap16(ETH_P_IPV6);
  return XDP_PASS;
}

char program_license[] SEC("license") = "GPL";
