/* Sending a packet of a known flow on its way, by the way its server is reached. */
#ifndef EVENER_FORWARD_H
#define EVENER_FORWARD_H

#include "encap.h"
#include "flow.h"
#include "nat.h"

INLINE void count_traffic(__u32 server, const struct packet *packet) {
  struct traffic *traffic = bpf_map_lookup_elem(&traffic_by_server, &server);
  if (!traffic) return;
  traffic->packets++;
  traffic->bytes += packet->ip_length;
}

INLINE __be16 ethertype(const struct packet *packet) {
  return packet->is_ipv6 ? swap16(ETH_P_IPV6) : swap16(ETH_P_IP);
}

/* The frame as it is, to another MAC address. */
INLINE int forward_frame(struct xdp_md *context, struct packet *packet, const struct hop *hop, __u32 verdict, int rewritten) {
  if (hop->status != BPF_FIB_LKUP_RET_SUCCESS) return refuse_hop(hop, rewritten);
  if (packet->ip_length > hop->mtu) return send_too_big(context, packet, hop->mtu);
  if (step_ttl(context, packet)) return XDP_DROP;
  if (place_frame(context, packet, hop, 0, ethertype(packet)) < 0) return XDP_DROP;
  count(verdict);
  return leave(context, packet, hop);
}

INLINE int forward_tunnel(struct xdp_md *context, struct packet *packet, const struct server *server, const struct hop *hop) {
  __u32 overhead = tunnel_overhead(server);
  if (hop->status != BPF_FIB_LKUP_RET_SUCCESS) return refuse_hop(hop, 0);
  if (packet->ip_length + overhead > hop->mtu) return send_too_big(context, packet, hop->mtu - overhead);
  if (step_ttl(context, packet)) return XDP_DROP;
  __u32 hash = spread(packet->tuple.source.word[3], port_word(&packet->tuple));
  int v4 = is_ipv4(&server->address);
  int l3 = place_frame(context, packet, hop, overhead, v4 ? swap16(ETH_P_IP) : swap16(ETH_P_IPV6));
  if (l3 < 0) return XDP_DROP;
  if (v4 ? write_outer4(context, l3, packet, server, hash) : write_outer6(context, l3, packet, server, hash)) return XDP_DROP;
  count(VERDICT_FORWARDED);
  return leave(context, packet, hop);
}

/* To the server, or back to the client: the packet's tuple becomes `to`. */
INLINE int forward_translated(struct xdp_md *context, struct packet *packet, struct flow *flow, const struct hop *hop, __u32 verdict) {
  if (hop->status != BPF_FIB_LKUP_RET_SUCCESS && hop->status != BPF_FIB_LKUP_RET_NO_NEIGH) return refuse_hop(hop, 1);
  // Before the packet is changed: what is sent back must quote it as it came.
  if (hop->status == BPF_FIB_LKUP_RET_SUCCESS && packet->ip_length > hop->mtu) return send_too_big(context, packet, hop->mtu);
  if (packet->is_icmp_error) {
    if (rewrite_icmp(context, packet, flow)) return XDP_DROP;
    verdict = VERDICT_ICMP_FORWARDED;
  } else if (rewrite_tuple(context, packet, &flow->to)) {
    return XDP_DROP;
  }
  return forward_frame(context, packet, hop, verdict, 1);
}

STAGE int forward_to_server(struct xdp_md *context, struct packet *packet, struct flow *flow) {
  if (!packet || !flow) return XDP_DROP;
  __u32 index = flow->server;
  struct server *server = bpf_map_lookup_elem(&servers, &index);
  if (!server) return XDP_DROP;
  struct hop *hop = hop_to_server(context, index, server, packet->now);
  if (!hop) return XDP_DROP;
  count_traffic(flow->server, packet);
  if (server->forward == FORWARD_TUN) return forward_tunnel(context, packet, server, hop);
  if (server->forward == FORWARD_DR) return forward_frame(context, packet, hop, VERDICT_FORWARDED, 0);
  return forward_translated(context, packet, flow, hop, VERDICT_FORWARDED);
}

STAGE int forward_to_client(struct xdp_md *context, struct packet *packet, struct flow *flow) {
  if (!packet || !flow) return XDP_DROP;
  struct hop *hop = hop_to_client(context, &flow->to.destination, packet->now);
  if (!hop) return XDP_DROP;
  return forward_translated(context, packet, flow, hop, VERDICT_REPLIED);
}

#endif
