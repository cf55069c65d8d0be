/*
 * Where a frame goes next. The routing table is asked once a second for each server and for each slot of the clients' cache, on each
 * CPU; in between, the answer is remembered. Nothing is shared between CPUs, so no answer is read half-written.
 */
#ifndef EVENER_HOP_H
#define EVENER_HOP_H

#include "maps.h"

#define HOP_FRESH_NS NANOSECONDS
#define CLIENT_HOPS 1024
#define FAMILY_IPV4 2
#define FAMILY_IPV6 10

STAGE int ask_route(struct xdp_md *context, struct hop *hop, const struct address *to, __u64 now) {
  if (!hop || !to) return -1;
  struct bpf_fib_lookup query = {.ifindex = context->ingress_ifindex, .tot_len = 1};
  if (is_ipv4(to)) {
    query.family = FAMILY_IPV4;
    query.ipv4_dst = to->word[3];
  } else {
    query.family = FAMILY_IPV6;
    query.ipv6_dst[0] = to->word[0];
    query.ipv6_dst[1] = to->word[1];
    query.ipv6_dst[2] = to->word[2];
    query.ipv6_dst[3] = to->word[3];
  }
  long status = bpf_fib_lookup(context, &query, sizeof query, 0);
  hop->to = *to;
  hop->status = status < 0 ? BPF_FIB_LKUP_RET_UNREACHABLE : status;
  hop->until = status == BPF_FIB_LKUP_RET_SUCCESS ? now + HOP_FRESH_NS : 0;
  if (status != BPF_FIB_LKUP_RET_SUCCESS) return 0;
  hop->mtu = query.mtu_result;
  hop->ifindex = query.ifindex;
  hop->vlan = 0;
  struct link *link = bpf_map_lookup_elem(&links, &hop->ifindex);
  if (link) {
    hop->ifindex = link->parent;
    hop->vlan = link->vlan;
  }
  __builtin_memcpy(hop->destination, query.dmac, 6);
  __builtin_memcpy(hop->source, query.smac, 6);
  return 0;
}

INLINE struct hop *hop_to_server(struct xdp_md *context, __u32 index, const struct server *server, __u64 now) {
  struct hop *hop = bpf_map_lookup_elem(&server_hops, &index);
  if (!hop) return 0;
  if (hop->until <= now || !is_same_address(&hop->to, &server->address)) ask_route(context, hop, &server->address, now);
  return hop;
}

INLINE struct hop *hop_to_client(struct xdp_md *context, const struct address *client, __u64 now) {
  __u32 index = finish(hash_address(client, 0)) % CLIENT_HOPS;
  struct hop *hop = bpf_map_lookup_elem(&client_hops, &index);
  if (!hop) return 0;
  if (hop->until <= now || !is_same_address(&hop->to, client)) ask_route(context, hop, client, now);
  return hop;
}

/*
 * Lays the Ethernet header (with VLAN tags) for the next hop before the IP packet, whose header has moved `extra` bytes forward
 * since the packet was read. Tags are kept where the frame leaves through the interface it came by. Gives the offset of the IP header.
 */
struct frame_header {
  __u16 destination[3];
  __u16 source[3];
  __be16 protocol;
};

INLINE int place_frame(struct xdp_md *context, struct packet *packet, const struct hop *hop, int extra, __be16 protocol) {
  __u32 tags = hop->ifindex == context->ingress_ifindex ? packet->tags : 0;
  if (hop->vlan) {
    tags = 1;
    packet->tag[0] = (__u32)swap16(hop->vlan) << 16 | swap16(ETH_P_8021Q);
  }
  int header = sizeof(struct ethhdr) + tags * 4;
  int growth = header + extra - packet->l3;
  if (growth != 0 && bpf_xdp_adjust_head(context, -growth)) return -1;
  // In halves of words: struct ethhdr is packed, which would be copied byte by byte.
  struct frame_header *ethernet = bytes_at(context, 0, sizeof *ethernet);
  if (!ethernet) return -1;
#pragma clang loop unroll(full)
  for (int i = 0; i < 3; i++) {
    ethernet->destination[i] = hop->destination[i];
    ethernet->source[i] = hop->source[i];
  }
  ethernet->protocol = protocol;
  if (tags == 0) return header;
  ethernet->protocol = packet->tag[0] & 0xffff;
  struct { __be16 control, protocol; } *tag = bytes_at(context, sizeof *ethernet, 4);
  if (!tag) return -1;
  tag->control = packet->tag[0] >> 16;
  tag->protocol = tags == 2 ? packet->tag[1] & 0xffff : protocol;
  if (tags == 1) return header;
  tag = bytes_at(context, sizeof *ethernet + 4, 4);
  if (!tag) return -1;
  tag->control = packet->tag[1] >> 16;
  tag->protocol = protocol;
  return header;
}

INLINE void note_mirror(struct packet *packet, const struct service *service) {
  if (!(service->flags & SERVICE_MIRROR)) return;
  packet->mirror_to = service->mirror_port;
  packet->mirror_per_mille = service->mirror_per_mille;
}

#define REDIRECT_TO_ALL 8

/* A share of the packets of a mirrored service leaves twice. Gives the verdict, or GO_ON for a packet that leaves once. */
STAGE int leave_twice(struct packet *packet, __u32 out) {
  if (!packet || bpf_get_prandom_u32() % 1000 >= packet->mirror_per_mille) return GO_ON;
  struct mirror_key key = {.out = out, .mirror = packet->mirror_to};
  void *both = bpf_map_lookup_elem(&mirrors, &key);
  if (!both) return GO_ON;
  count(VERDICT_MIRRORED);
  return bpf_redirect_map(both, 0, REDIRECT_TO_ALL);
}

INLINE int leave_by(struct xdp_md *context, const struct hop *hop) {
  return hop->ifindex == context->ingress_ifindex ? XDP_TX : bpf_redirect(hop->ifindex, 0);
}

INLINE int leave(struct xdp_md *context, struct packet *packet, const struct hop *hop) {
  if (packet->mirror_to) {
    int verdict = leave_twice(packet, hop->ifindex);
    if (verdict != GO_ON) return verdict;
  }
  return leave_by(context, hop);
}

/* Why a packet cannot go to this hop, as a verdict that is counted. GO_ON if it can. `rewritten`: the stack could send it itself. */
INLINE int refuse_hop(const struct hop *hop, int rewritten) {
  if (hop->status == BPF_FIB_LKUP_RET_SUCCESS) return GO_ON;
  if (hop->status == BPF_FIB_LKUP_RET_NOT_FWDED) {
    count(VERDICT_TO_STACK);
    return XDP_PASS;
  }
  if (hop->status == BPF_FIB_LKUP_RET_NO_NEIGH) {
    count(VERDICT_NO_NEIGHBOUR);
    return rewritten ? XDP_PASS : XDP_DROP;
  }
  count(VERDICT_NO_ROUTE);
  return XDP_DROP;
}

#endif
