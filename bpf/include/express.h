/*
 * The way of most packets: plain IPv4 with TCP or UDP, of a flow that has a shortcut, to a server that is there. It does what the
 * general way does with such a packet, in half the time. Whenever anything is out of the ordinary it returns GO_ON and has changed
 * nothing: the general way knows what to do.
 */
#ifndef EVENER_EXPRESS_H
#define EVENER_EXPRESS_H

#include "forward.h"
#include "shortcut.h"

/* Ethernet without tags and IPv4 without options; the end of a TCP header without options. Shorter frames go the general way. */
#define PLAIN_L3 14
#define PLAIN_L4 34
#define PLAIN_LENGTH 54

/* No options, no fragment, neither beginning nor end of a TCP connection. Not 0: the frame is PLAIN_LENGTH long at least. */
INLINE int is_plain(const __u8 *frame, __u32 frame_bytes) {
  const struct iphdr *ip = (void *)(frame + PLAIN_L3);
  __u32 length = swap16(ip->tot_len);
  if (*(__be16 *)(frame + 12) != swap16(ETH_P_IP) || frame[PLAIN_L3] != 0x45) return 0;
  if (ip->ttl <= 1 || ip->frag_off & swap16(0x3fff) || length + PLAIN_L3 > frame_bytes) return 0;
  if (ip->protocol == IPPROTO_UDP) return length >= 28;
  return ip->protocol == IPPROTO_TCP && length >= 40 && !(frame[PLAIN_L4 + 13] & (TCP_FIN | TCP_SYN | TCP_RST));
}

/* A next hop that was asked for lately, can be reached, has no VLAN tag, and takes packets of this length. */
INLINE int is_ready(const struct hop *hop, const struct address *to, __u64 now, __u32 length) {
  return hop->until > now && hop->status == BPF_FIB_LKUP_RET_SUCCESS && hop->vlan == 0 && length <= hop->mtu && is_same_address(&hop->to, to);
}

/* Both MAC addresses, which lie one behind the other in the hop. */
INLINE void place_addresses(void *frame, const struct hop *hop) {
  const __u32 *addresses = (const __u32 *)hop->destination;
  __u32 *out = frame;
  out[0] = addresses[0];
  out[1] = addresses[1];
  out[2] = addresses[2];
}

INLINE int express_frame(__u8 *frame, const struct hop *hop) {
  struct iphdr *ip = (void *)(frame + PLAIN_L3);
  ip->ttl--;
  ip->check = step_checksum(ip->check);
  place_addresses(frame, hop);
  return 0;
}

INLINE int express_translated(__u8 *frame, __u64 to_addresses, __u32 to_ports, const struct hop *hop) {
  struct iphdr *ip = (void *)(frame + PLAIN_L3);
  __u32 *ports = (void *)(frame + PLAIN_L4);
  __be32 source = to_addresses, destination = to_addresses >> 32;
  __u64 sum = difference(ip->saddr, source) + difference(ip->daddr, destination);
  ip->saddr = source;
  ip->daddr = destination;
  ip->check = change_checksum(ip->check, sum);
  sum += difference(*ports, to_ports);
  *ports = to_ports;
  if (ip->protocol == IPPROTO_TCP) {
    __sum16 *checksum = (void *)(frame + PLAIN_L4 + 16);
    *checksum = change_checksum(*checksum, sum);
  } else {
    change_udp_checksum((void *)(frame + PLAIN_L4 + 6), sum, 0);
  }
  return express_frame(frame, hop);
}

INLINE int express_tunnel(struct xdp_md *context, __u8 *frame, const struct server *server, const struct hop *hop) {
  struct iphdr *ip = (void *)(frame + PLAIN_L3);
  struct packet inner = {.ip_length = swap16(ip->tot_len), .tos = ip->tos, .dont_fragment = (ip->frag_off & swap16(0x4000)) != 0};
  __u32 hash = spread(ip->saddr, *(__u32 *)(frame + PLAIN_L4));
  ip->ttl--;
  ip->check = step_checksum(ip->check);
  if (bpf_xdp_adjust_head(context, -(int)tunnel_overhead(server))) return -1;
  __u8 *ethernet = bytes_at(context, 0, PLAIN_L3);
  if (!ethernet) return -1;
  place_addresses(ethernet, hop);
  *(__be16 *)(ethernet + 12) = swap16(ETH_P_IP);
  return write_outer4(context, PLAIN_L3, &inner, server, hash);
}

/* Answers of NAT: the server's number is that of the flow, and whether it is down does not matter to what it has sent. */
INLINE int express_to_client(struct xdp_md *context, __u8 *frame, const struct shortcut *shortcut, __u64 now) {
  struct address client;
  set_ipv4(&client, shortcut->to_addresses >> 32);
  __u32 index = finish(hash_address(&client, 0)) % CLIENT_HOPS;
  struct hop *hop = bpf_map_lookup_elem(&client_hops, &index);
  if (!hop || !is_ready(hop, &client, now, swap16(((struct iphdr *)(frame + PLAIN_L3))->tot_len))) return GO_ON;
  express_translated(frame, shortcut->to_addresses, TO_PORTS(shortcut->to), hop);
  count(VERDICT_REPLIED);
  return leave_by(context, hop);
}

/* What the tuple becomes by NAT, where the server is all that is known of it. */
INLINE void derive(struct shortcut *shortcut, const __u8 *frame, const struct server *server) {
  const struct iphdr *ip = (void *)(frame + PLAIN_L3);
  __u32 ports = *(__u32 *)(frame + PLAIN_L4);
  shortcut->to_addresses = address_word(ip->saddr, server->address.word[3]);
  shortcut->to = (__u64)(server->port ? (ports & 0xffff) | (__u32)server->port << 16 : ports) << 32;
}

INLINE int express_to_server(struct xdp_md *context, __u8 *frame, __u32 index, struct shortcut *shortcut, __u64 now) {
  __u32 length = swap16(((struct iphdr *)(frame + PLAIN_L3))->tot_len);
  struct server *server = bpf_map_lookup_elem(&servers, &index);
  if (!server || server->flags & (SERVER_DOWN | SERVER_REMOVED)) return GO_ON;
  struct hop *hop = bpf_map_lookup_elem(&server_hops, &index);
  if (!hop) return GO_ON;
  if (server->forward == FORWARD_TUN) {
    if (!is_ipv4(&server->address) || !is_ready(hop, &server->address, now, length + tunnel_overhead(server))) return GO_ON;
    if (express_tunnel(context, frame, server, hop)) return XDP_DROP;
  } else {
    if (!is_ready(hop, &server->address, now, length)) return GO_ON;
    if (server->forward == FORWARD_DR) {
      express_frame(frame, hop);
    } else {
      if (shortcut->flow == 0) derive(shortcut, frame, server);
      express_translated(frame, shortcut->to_addresses, TO_PORTS(shortcut->to), hop);
    }
  }
  struct traffic *traffic = bpf_map_lookup_elem(&traffic_by_server, &index);
  if (traffic) {
    traffic->packets++;
    traffic->bytes += length;
  }
  count(VERDICT_FORWARDED);
  return leave_by(context, hop);
}

INLINE int take_express(struct xdp_md *context) {
  __u8 *frame = (void *)(long)context->data, *end = (void *)(long)context->data_end;
  if (frame + PLAIN_LENGTH > end || !is_plain(frame, end - frame)) return GO_ON;
  struct iphdr *ip = (void *)(frame + PLAIN_L3);
  __u32 zero = 0;
  struct settings *own = bpf_map_lookup_elem(&settings, &zero);
  if (!own) return GO_ON;
  __u64 addresses = address_word(ip->saddr, ip->daddr), flow = FLOW_WORD(*(__u32 *)(frame + PLAIN_L4), ip->protocol), now = coarse_now();
  struct shortcut shortcut = {};
  __u64 brief = find_brief(addresses, flow, own->generation);
  __u32 index = BRIEF_SERVER(brief);
  if (!brief) {
    if (!own->has_full_shortcuts || !find_shortcut(&shortcut, addresses, flow)) return GO_ON;
    if (!is_in_force(shortcut.to, MOMENT(now), own->generation)) return GO_ON;
    if (shortcut.flow & SHORTCUT_REPLY) return express_to_client(context, frame, &shortcut, now);
    index = SHORTCUT_SERVER(shortcut.flow);
  } else if (!is_brief_in_force(brief, BRIEF_MOMENT(now))) {
    return GO_ON;
  }
  return express_to_server(context, frame, index, &shortcut, now);
}

#endif
