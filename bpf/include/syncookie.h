/*
 * SYN cookies for NAT, where packets go through us both ways.
 *
 *     client ── SYN ─────────▶ us               no state
 *     client ◀─ SYN-ACK ────── us               the kernel's cookie for a sequence number; MSS only, no other option
 *     client ── ACK ─────────▶ us ── SYN ─────▶ server      the cookie is right: a flow, and the SYN that the server never saw
 *                              us ◀─ SYN-ACK ── server
 *                              us ── ACK ─────▶ server      the difference of the sequence numbers is remembered …
 *     client ◀═ data, sequence less it ═ us ═ acknowledged and it ═▶ server
 *
 * With DR and TUN the answer does not come past us, so nobody could shift its numbers: there the servers' own cookies
 * (net.ipv4.tcp_syncookies) do this, and the young table takes the flood here.
 */
#ifndef EVENER_SYNCOOKIE_H
#define EVENER_SYNCOOKIE_H

#include "answer.h"
#include "flow.h"

#define MSS_OPTION(mss) swap32(2 << 24 | 4 << 16 | (mss))

INLINE int wants_cookies(struct packet *packet, __u32 service_index, struct service *service) {
  if (packet->tuple.protocol != IPPROTO_TCP) return 0;
  return (service->flags & (SERVICE_COOKIES_ALWAYS | SERVICE_COOKIES_AUTO)) != 0;
}

/* Counts a SYN; true if it should be answered by a cookie: always, or when more came within this second (on this CPU) than configured. */
INLINE int note_syn(struct packet *packet, __u32 service_index, struct service *service) {
  if (service->flags & SERVICE_COOKIES_ALWAYS) return 1;
  if (!(service->flags & SERVICE_COOKIES_AUTO)) return 0;
  struct bucket *rate = bpf_map_lookup_elem(&syn_rates, &service_index);
  if (!rate) return 0;
  if (packet->now - rate->updated >= NANOSECONDS) {
    rate->updated = packet->now;
    rate->milli_tokens = 0;
  }
  rate->milli_tokens++;
  return rate->milli_tokens > service->cookies_above;
}

/* Copies the headers, of which TCP's length varies, to where the kernel's functions can read them. Gives TCP's length, or 0. */
INLINE __u32 copy_headers(struct xdp_md *context, struct packet *packet, struct scratch *room) {
  struct tcphdr *tcp = bytes_at(context, packet->l4, sizeof *tcp);
  if (!tcp || tcp->doff < 5) return 0;
  __u32 length = tcp->doff * 4;
  if (length < 20 || length > 60) return 0;
  if (bpf_xdp_load_bytes(context, packet->l3, room->bytes, sizeof(struct ipv6hdr))) return 0;
  if (bpf_xdp_load_bytes(context, packet->l4, room->bytes + 64, length)) return 0;
  return length;
}

STAGE int send_cookie(struct xdp_md *context, struct packet *packet) {
  struct scratch *room = scratch_room();
  if (!packet || !room) return XDP_DROP;
  __u32 length = copy_headers(context, packet, room);
  if (length < 20 || length > 60) return XDP_DROP;
  __s64 cookie = packet->is_ipv6 ? bpf_tcp_raw_gen_syncookie_ipv6(room->bytes, room->bytes + 64, length)
                                 : bpf_tcp_raw_gen_syncookie_ipv4(room->bytes, room->bytes + 64, length);
  if (cookie < 0) return XDP_DROP;
  struct tcp_answer answer = {
    .sequence = swap32((__u32)cookie),
    .acknowledged = swap32(swap32(*(__be32 *)(room->bytes + 68)) + 1),
    .window = swap16(65535),
    .flags = TCP_SYN | TCP_ACK,
    .option = MSS_OPTION((__u32)(cookie >> 32) & 0xffff)};
  if (reshape_tcp(context, packet, &answer, 1)) return XDP_DROP;
  count(VERDICT_COOKIE_SENT);
  return XDP_TX;
}

/* 0 if the ACK carries a cookie of ours. */
STAGE int check_cookie(struct xdp_md *context, struct packet *packet) {
  struct scratch *room = scratch_room();
  if (!packet || !room || !(packet->tcp_flags & TCP_ACK)) return -1;
  __u32 length = copy_headers(context, packet, room);
  if (length == 0) return -1;
  long wrong = packet->is_ipv6 ? bpf_tcp_raw_check_syncookie_ipv6(room->bytes, room->bytes + 64)
                               : bpf_tcp_raw_check_syncookie_ipv4(room->bytes, room->bytes + 64);
  count(wrong ? VERDICT_COOKIE_REFUSED : VERDICT_COOKIE_ACCEPTED);
  return wrong ? -1 : 0;
}

/* Makes the client's ACK the SYN that it once sent; its data, if any, the client will send again. */
STAGE int begin_with_server(struct xdp_md *context, struct packet *packet, struct flow *flow) {
  if (!packet || !flow) return -1;
  struct tcphdr *tcp = bytes_at(context, packet->l4, sizeof *tcp);
  if (!tcp) return -1;
  // The cookie, until the server's own number is known.
  flow->shift = swap32(tcp->ack_seq) - 1;
  struct tcp_answer answer = {
    .sequence = swap32(swap32(tcp->seq) - 1),
    .window = tcp->window,
    .flags = TCP_SYN,
    .option = MSS_OPTION(packet->is_ipv6 ? 1440 : 1460)};
  packet->tcp_flags = TCP_SYN;
  return reshape_tcp(context, packet, &answer, 0);
}

/* The server's SYN-ACK becomes the ACK that ends the handshake with it, and goes back to it. */
STAGE int end_handshake(struct xdp_md *context, struct packet *packet, struct flow *flow, struct flow *reply) {
  if (!packet || !flow || !reply) return XDP_DROP;
  struct tcphdr *tcp = bytes_at(context, packet->l4, sizeof *tcp);
  if (!tcp) return XDP_DROP;
  flow->shift = swap32(tcp->seq) - flow->shift;
  reply->shift = flow->shift;
  flow->flags = (flow->flags & ~FLOW_COOKIE_WAITING) | FLOW_ANSWERED;
  reply->flags &= ~FLOW_COOKIE_WAITING;
  struct tcp_answer answer = {
    .sequence = tcp->ack_seq, .acknowledged = swap32(swap32(tcp->seq) + 1), .window = swap16(65535), .flags = TCP_ACK};
  return reshape_tcp(context, packet, &answer, 1) ? XDP_DROP : XDP_TX;
}

/* Shifts the sequence numbers of a flow that began with a cookie: the server's in packets to the client, and what the client acknowledges. */
INLINE int shift_sequence(struct xdp_md *context, struct packet *packet, const struct flow *flow) {
  struct tcphdr *tcp = bytes_at(context, packet->l4, sizeof *tcp);
  if (!tcp) return -1;
  __be32 *number = flow->flags & FLOW_REPLY ? &tcp->seq : &tcp->ack_seq;
  __be32 before = *number;
  __be32 after = swap32(flow->flags & FLOW_REPLY ? swap32(before) - flow->shift : swap32(before) + flow->shift);
  *number = after;
  tcp->check = change_checksum(tcp->check, difference(before, after));
  return 0;
}

#endif
