/* Packets that we send ourselves, made out of the one that came in: ICMP errors and TCP resets. They go back where it came from. */
#ifndef EVENER_ANSWER_H
#define EVENER_ANSWER_H

#include "maps.h"

#define QUOTED_MOST 128

INLINE int take_icmp_budget(__u64 now) {
  __u32 zero = 0;
  struct bucket *budget = bpf_map_lookup_elem(&icmp_budget, &zero);
  struct settings *limits = bpf_map_lookup_elem(&settings, &zero);
  if (!budget || !limits) return 0;
  __u64 most = (__u64)limits->icmp_per_second * 1000;
  __u64 tokens = budget->milli_tokens + (now - budget->updated) / 1000000 * limits->icmp_per_second;
  if (tokens > most) tokens = most;
  budget->updated = now;
  budget->milli_tokens = tokens >= 1000 ? tokens - 1000 : tokens;
  return tokens >= 1000;
}

/* Swaps the addresses of the Ethernet header; `moved` bytes were put before it, VLAN tags included in `packet->l3`. */
INLINE int turn_ethernet(struct xdp_md *context, struct packet *packet, __u32 moved) {
  __u8 header[24];
  __u32 length = packet->l3;
  if (length < 14 || length > 22) return -1;
  if (bpf_xdp_load_bytes(context, moved, header, length)) return -1;
  __u8 swapped[6];
  __builtin_memcpy(swapped, header, 6);
  __builtin_memcpy(header, header + 6, 6);
  __builtin_memcpy(header + 6, swapped, 6);
  return bpf_xdp_store_bytes(context, 0, header, length);
}

INLINE int write_icmp4(struct xdp_md *context, struct packet *packet, __u8 type, __u8 code, __u32 mtu, __u32 sum, __u32 quoted) {
  struct {
    struct iphdr ip;
    struct icmp_header icmp;
  } *out = bytes_at(context, packet->l3, sizeof *out), *old;
  if (!out) return -1;
  __builtin_memset(out, 0, sizeof *out);
  out->ip.version = 4;
  out->ip.ihl = 5;
  out->ip.tot_len = swap16(sizeof *out + quoted);
  out->ip.ttl = 64;
  out->ip.protocol = IPPROTO_ICMP;
  old = bytes_at(context, packet->l3 + sizeof *out, sizeof out->ip);
  if (!old) return -1;
  out->ip.saddr = old->ip.daddr;
  out->ip.daddr = old->ip.saddr;
  out->ip.check = ~fold(bpf_csum_diff(0, 0, (void *)&out->ip, sizeof out->ip, 0));
  out->icmp.type = type;
  out->icmp.code = code;
  out->icmp.rest = swap32(mtu);
  out->icmp.checksum = ~fold(bpf_csum_diff(0, 0, (void *)&out->icmp, sizeof out->icmp, sum));
  return 0;
}

INLINE int write_icmp6(struct xdp_md *context, struct packet *packet, __u8 type, __u8 code, __u32 mtu, __u32 sum, __u32 quoted) {
  struct {
    struct ipv6hdr ip;
    struct icmp_header icmp;
  } *out = bytes_at(context, packet->l3, sizeof *out), *old;
  if (!out) return -1;
  __builtin_memset(out, 0, sizeof *out);
  out->ip.version = 6;
  out->ip.payload_len = swap16(sizeof out->icmp + quoted);
  out->ip.nexthdr = IPPROTO_ICMPV6;
  out->ip.hop_limit = 64;
  old = bytes_at(context, packet->l3 + sizeof *out, sizeof out->ip);
  if (!old) return -1;
  out->ip.saddr = old->ip.daddr;
  out->ip.daddr = old->ip.saddr;
  out->icmp.type = type;
  out->icmp.code = code;
  out->icmp.rest = swap32(mtu);
  sum = bpf_csum_diff(0, 0, (void *)&out->ip.saddr, 32, sum);
  __u64 pseudo = (__u64)sum + out->ip.payload_len + swap16(IPPROTO_ICMPV6);
  out->icmp.checksum = ~fold(pseudo + bpf_csum_diff(0, 0, (void *)&out->icmp, sizeof out->icmp, 0));
  return 0;
}

/* Tells the sender by ICMP, quoting the first bytes of its packet; more than a configured number a second are not sent. */
STAGE int send_icmp(struct xdp_md *context, struct packet *packet, __u32 kind, __u32 mtu, __u32 verdict) {
  if (!packet) return XDP_DROP;
  if (!take_icmp_budget(packet->now)) {
    count(VERDICT_ICMP_LIMITED);
    return XDP_DROP;
  }
  struct scratch *room = scratch_room();
  if (!room) return XDP_DROP;
  __u32 quoted = packet->ip_length < QUOTED_MOST ? packet->ip_length & ~3 : QUOTED_MOST;
  if (quoted < 28 || quoted > QUOTED_MOST) return XDP_DROP;
  if (bpf_xdp_load_bytes(context, packet->l3, room->bytes, quoted)) return XDP_DROP;
  __u32 sum = bpf_csum_diff(0, 0, (void *)room->bytes, quoted, 0);
  int header = packet->is_ipv6 ? sizeof(struct ipv6hdr) + sizeof(struct icmp_header) : sizeof(struct iphdr) + sizeof(struct icmp_header);
  int surplus = (int)frame_length(context) - packet->l3 - (int)quoted;
  if (surplus > 0 && bpf_xdp_adjust_tail(context, -surplus)) return XDP_DROP;
  if (bpf_xdp_adjust_head(context, -header)) return XDP_DROP;
  if (turn_ethernet(context, packet, header)) return XDP_DROP;
  int failed = packet->is_ipv6 ? write_icmp6(context, packet, kind >> 8, kind & 255, mtu, sum, quoted)
                               : write_icmp4(context, packet, kind >> 8, kind & 255, mtu, sum, quoted);
  if (failed) return XDP_DROP;
  count(verdict);
  return XDP_TX;
}

NOINLINE int send_too_big(struct xdp_md *context, struct packet *packet, __u32 mtu) {
  count(VERDICT_TOO_BIG);
  if (!packet->dont_fragment || packet->is_icmp_error) return XDP_DROP;
  __u32 kind = packet->is_ipv6 ? ICMP6_TOO_BIG << 8 : ICMP4_UNREACHABLE << 8 | ICMP4_CODE_TOO_BIG;
  return send_icmp(context, packet, kind, mtu, VERDICT_TOO_BIG_SENT);
}

NOINLINE int send_expired(struct xdp_md *context, struct packet *packet) {
  if (packet->is_icmp_error) return XDP_DROP;
  __u32 kind = packet->is_ipv6 ? ICMP6_EXPIRED << 8 : ICMP4_EXPIRED << 8;
  return send_icmp(context, packet, kind, 0, VERDICT_EXPIRED_SENT);
}

struct tcp_answer {
  __be32 sequence;
  __be32 acknowledged;
  __be16 window;
  __u8 flags;
  __u8 unused;
  /* A TCP option of four bytes (MSS), or 0. */
  __be32 option;
};

/*
 * Turns the TCP packet into one without data: back to its sender (`turn`), or on the way it was going. IP options are refused: the
 * header is written at a fixed place.
 */
INLINE int reshape_tcp(struct xdp_md *context, struct packet *packet, const struct tcp_answer *answer, int turn) {
  __u32 ip_header = packet->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
  __u32 tcp_header = answer->option ? 24 : 20;
  if (packet->l4 != packet->l3 + ip_header) return -1;
  int surplus = (int)frame_length(context) - (int)(packet->l4 + tcp_header);
  if (surplus != 0 && bpf_xdp_adjust_tail(context, -surplus)) return -1;
  if (turn && turn_ethernet(context, packet, 0)) return -1;
  __u64 sum = swap16(IPPROTO_TCP) + (__u64)swap16(tcp_header);
  if (packet->is_ipv6) {
    struct ipv6hdr *ip = bytes_at(context, packet->l3, sizeof *ip);
    if (!ip) return -1;
    ip->payload_len = swap16(tcp_header);
    if (turn) {
      struct in6_addr source = ip->saddr;
      ip->saddr = ip->daddr;
      ip->daddr = source;
      ip->hop_limit = 64;
    }
    sum += bpf_csum_diff(0, 0, (void *)&ip->saddr, 32, 0);
  } else {
    struct iphdr *ip = bytes_at(context, packet->l3, sizeof *ip);
    if (!ip) return -1;
    ip->tot_len = swap16(ip_header + tcp_header);
    if (turn) {
      __be32 source = ip->saddr;
      ip->saddr = ip->daddr;
      ip->daddr = source;
      ip->ttl = 64;
      ip->id = 0;
      ip->frag_off = swap16(0x4000);
    }
    ip->check = 0;
    ip->check = ~fold(bpf_csum_diff(0, 0, (void *)ip, sizeof *ip, 0));
    sum += bpf_csum_diff(0, 0, (void *)&ip->saddr, 8, 0);
  }
  packet->ip_length = ip_header + tcp_header;
  struct tcphdr *tcp = bytes_at(context, packet->l4, sizeof *tcp);
  if (!tcp) return -1;
  if (turn) {
    __be16 port = tcp->source;
    tcp->source = tcp->dest;
    tcp->dest = port;
  }
  tcp->seq = answer->sequence;
  tcp->ack_seq = answer->acknowledged;
  *(__be16 *)((__u8 *)tcp + 12) = swap16((tcp_header / 4) << 12 | answer->flags);
  tcp->window = answer->window;
  tcp->check = 0;
  tcp->urg_ptr = 0;
  sum += bpf_csum_diff(0, 0, (void *)tcp, sizeof *tcp, 0);
  if (answer->option) {
    __be32 *option = bytes_at(context, packet->l4 + 20, 4);
    if (!option) return -1;
    *option = answer->option;
    sum += answer->option;
    tcp = bytes_at(context, packet->l4, sizeof *tcp);
    if (!tcp) return -1;
  }
  tcp->check = ~fold(sum);
  return 0;
}

/* RFC 9293 §3.5.2: a reset that the sender accepts. Never in answer to a reset. */
STAGE int send_reset(struct xdp_md *context, struct packet *packet) {
  if (!packet) return XDP_DROP;
  if (packet->tuple.protocol != IPPROTO_TCP || packet->is_icmp_error || packet->fragment || packet->tcp_flags & TCP_RST) return XDP_DROP;
  struct tcphdr *tcp = bytes_at(context, packet->l4, sizeof *tcp);
  if (!tcp) return XDP_DROP;
  struct tcp_answer answer = {.flags = TCP_RST};
  if (packet->tcp_flags & TCP_ACK) {
    answer.sequence = tcp->ack_seq;
  } else {
    __u32 length = packet->ip_length - (packet->l4 - packet->l3) - tcp->doff * 4;
    __u32 controls = ((packet->tcp_flags & TCP_SYN) != 0) + (packet->tcp_flags & TCP_FIN);
    answer.acknowledged = swap32(swap32(tcp->seq) + length + controls);
    answer.flags = TCP_RST | TCP_ACK;
  }
  if (reshape_tcp(context, packet, &answer, 1)) return XDP_DROP;
  count(VERDICT_RESET_SENT);
  return XDP_TX;
}

#endif
