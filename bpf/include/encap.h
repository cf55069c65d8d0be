/*
 * Tunnels to the servers: IP in IP (RFC 2003, 2473, 4213) or GUE variant 1, which is IP right behind a UDP header. The outer packet
 * varies with the flow so that the server's network card spreads flows over its queues: IPIP by its source address, GUE by its port.
 */
#ifndef EVENER_ENCAP_H
#define EVENER_ENCAP_H

#include "answer.h"
#include "hop.h"

#define GUE_HEADER sizeof(struct udphdr)

INLINE __u32 tunnel_overhead(const struct server *server) {
  __u32 outer = is_ipv4(&server->address) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
  return server->encapsulation == ENCAPSULATION_GUE ? outer + GUE_HEADER : outer;
}

/* Spreads flows over the servers' queues; nothing depends on it being strong. */
INLINE __u32 spread(__u32 source, __u32 ports) {
  return finish(source ^ ports);
}

INLINE int write_gue(struct xdp_md *context, __u32 offset, const struct server *server, __u32 hash, __u32 length) {
  struct udphdr *udp = bytes_at(context, offset, sizeof *udp);
  if (!udp) return -1;
  udp->source = swap16(0xc000 | (hash & 0x3fff));
  udp->dest = server->gue_port;
  udp->len = swap16(length + sizeof *udp);
  // RFC 6935: a tunnel's UDP checksum may be 0 in IPv6 also; the inner packet has its own.
  udp->check = 0;
  return 0;
}

INLINE int write_outer4(struct xdp_md *context, __u32 l3, struct packet *packet, const struct server *server, __u32 hash) {
  __u32 zero = 0;
  struct settings *own = bpf_map_lookup_elem(&settings, &zero);
  struct iphdr *ip = bytes_at(context, l3, sizeof *ip);
  if (!ip || !own) return -1;
  __u32 gue = server->encapsulation == ENCAPSULATION_GUE;
  // Word by word: bit fields would be read, changed and written back.
  __u32 *word = (__u32 *)ip;
  __u32 length = packet->ip_length + sizeof *ip + gue * GUE_HEADER;
  __u32 protocol = gue ? IPPROTO_UDP : packet->is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
  word[0] = swap32(0x45000000 | (__u32)packet->tos << 16 | (length & 0xffff));
  word[1] = packet->dont_fragment ? swap32(0x4000) : 0;
  __u32 third = swap32(64 << 24 | protocol << 16);
  word[3] = own->tunnel_source4.word[3];
  // 172.16.0.0/16 unless an address is configured; the low 16 bits come from the flow.
  if (word[3] == 0) word[3] = swap32(0xac100000 | (hash & 0xffff));
  word[4] = server->address.word[3];
  __u64 sum = (__u64)word[0] + word[1] + third + word[3] + word[4];
  word[2] = third | (__u32)(__u16)~fold(sum) << 16;
  return gue ? write_gue(context, l3 + sizeof *ip, server, hash, packet->ip_length) : 0;
}

INLINE int write_outer6(struct xdp_md *context, __u32 l3, struct packet *packet, const struct server *server, __u32 hash) {
  __u32 zero = 0;
  struct settings *own = bpf_map_lookup_elem(&settings, &zero);
  struct ipv6hdr *ip = bytes_at(context, l3, sizeof *ip);
  if (!ip || !own) return -1;
  __u32 gue = server->encapsulation == ENCAPSULATION_GUE;
  *(__be32 *)ip = swap32(6 << 28 | packet->tos << 20 | (hash & 0xfffff));
  ip->payload_len = swap16(packet->ip_length + gue * GUE_HEADER);
  ip->nexthdr = gue ? IPPROTO_UDP : packet->is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
  ip->hop_limit = 64;
  struct address source = own->tunnel_source6;
  // The discard prefix 100::/64 unless an address is configured.
  if (source.word[0] == 0) {
    source.word[0] = swap32(0x01000000);
    source.word[3] = hash;
  }
  __builtin_memcpy(&ip->saddr, &source, 16);
  __builtin_memcpy(&ip->daddr, &server->address, 16);
  return gue ? write_gue(context, l3 + sizeof *ip, server, hash, packet->ip_length) : 0;
}

#endif
