/* Rewriting of addresses and ports, with checksums changed by what changed (RFC 1624). */
#ifndef EVENER_NAT_H
#define EVENER_NAT_H

#include "answer.h"
#include "hop.h"

#define TTL_STEP swap16(0x0100)

INLINE __u64 address_difference(const struct address *before, const struct address *after) {
  return difference(before->word[0], after->word[0]) + difference(before->word[1], after->word[1]) +
         difference(before->word[2], after->word[2]) + difference(before->word[3], after->word[3]);
}

INLINE __u64 tuple_difference(const struct tuple *before, const struct tuple *after) {
  return address_difference(&before->source, &after->source) + address_difference(&before->destination, &after->destination);
}

INLINE __u64 port_difference(const struct tuple *before, const struct tuple *after) {
  return difference(before->source_port, after->source_port) + difference(before->destination_port, after->destination_port);
}

/* The header's checksum for a TTL that is one less (RFC 1624 with a difference of one in the high byte). */
INLINE __u16 step_checksum(__u16 checksum) {
  __u32 sum = checksum + TTL_STEP;
  return sum + (sum >> 16);
}

/* A UDP checksum of 0 means that there is none (IPv4 only); one that comes out as 0 is sent as its other form. */
INLINE void change_udp_checksum(__sum16 *checksum, __u64 sum, int is_ipv6) {
  if (*checksum == 0 && !is_ipv6) return;
  __u16 changed = change_checksum(*checksum, sum);
  *checksum = changed ? changed : 0xffff;
}

/* One router more on the way: TTL or hop limit less one. */
INLINE int step_ttl(struct xdp_md *context, struct packet *packet) {
  if (packet->is_ipv6) {
    struct ipv6hdr *ip = bytes_at(context, packet->l3, sizeof *ip);
    if (!ip) return -1;
    ip->hop_limit--;
    return 0;
  }
  struct iphdr *ip = bytes_at(context, packet->l3, sizeof *ip);
  if (!ip) return -1;
  ip->ttl--;
  ip->check = step_checksum(ip->check);
  return 0;
}

INLINE int rewrite_addresses(struct xdp_md *context, struct packet *packet, const struct address *source, const struct address *destination) {
  if (packet->is_ipv6) {
    struct ipv6hdr *ip = bytes_at(context, packet->l3, sizeof *ip);
    if (!ip) return -1;
    __builtin_memcpy(&ip->saddr, source, 16);
    __builtin_memcpy(&ip->daddr, destination, 16);
    return 0;
  }
  struct iphdr *ip = bytes_at(context, packet->l3, sizeof *ip);
  if (!ip) return -1;
  __u64 sum = difference(ip->saddr, source->word[3]) + difference(ip->daddr, destination->word[3]);
  ip->saddr = source->word[3];
  ip->daddr = destination->word[3];
  ip->check = change_checksum(ip->check, sum);
  return 0;
}

/* Makes the packet's tuple `to`. Later fragments have no ports, and their checksum stands in the first. */
INLINE int rewrite_tuple(struct xdp_md *context, struct packet *packet, const struct tuple *to) {
  if (rewrite_addresses(context, packet, &to->source, &to->destination)) return -1;
  if (packet->fragment == FRAGMENT_LATER) return 0;
  __u64 sum = tuple_difference(&packet->tuple, to) + port_difference(&packet->tuple, to);
  if (packet->tuple.protocol == IPPROTO_TCP) {
    struct tcphdr *tcp = bytes_at(context, packet->l4, sizeof *tcp);
    if (!tcp) return -1;
    tcp->source = to->source_port;
    tcp->dest = to->destination_port;
    tcp->check = change_checksum(tcp->check, sum);
    return 0;
  }
  struct udphdr *udp = bytes_at(context, packet->l4, sizeof *udp);
  if (!udp) return -1;
  udp->source = to->source_port;
  udp->dest = to->destination_port;
  // SCTP's checksum is a CRC over its own header: without a change of ports it stays right.
  if (packet->tuple.protocol != IPPROTO_UDP) return 0;
  change_udp_checksum(&udp->check, sum, packet->is_ipv6);
  return 0;
}

/* The checksum field of the quoted packet's transport header, if the quotation reaches so far. NULL if not. */
INLINE __sum16 *quoted_checksum(struct xdp_md *context, struct packet *packet) {
  if (packet->tuple.protocol == IPPROTO_UDP) return bytes_at(context, packet->quoted_l4 + 6, 2);
  if (packet->tuple.protocol != IPPROTO_TCP) return 0;
  if (packet->quoted_l4 + 18 > packet->l3 + packet->ip_length) return 0;
  return bytes_at(context, packet->quoted_l4 + 16, 2);
}

INLINE int rewrite_quoted_addresses(struct xdp_md *context, struct packet *packet, const struct tuple *quoted, __u64 *sum) {
  if (packet->is_ipv6) {
    struct ipv6hdr *ip = bytes_at(context, packet->quoted_l3, sizeof *ip);
    if (!ip) return -1;
    __builtin_memcpy(&ip->saddr, &quoted->source, 16);
    __builtin_memcpy(&ip->daddr, &quoted->destination, 16);
    return 0;
  }
  struct iphdr *ip = bytes_at(context, packet->quoted_l3, sizeof *ip);
  if (!ip) return -1;
  __u16 before = ip->check;
  ip->saddr = quoted->source.word[3];
  ip->daddr = quoted->destination.word[3];
  ip->check = change_checksum(before, *sum);
  *sum += difference(before, ip->check);
  return 0;
}

/*
 * An ICMP error about a packet of a NAT flow. Whoever gets it must find its own packet quoted, as it sent it: the quotation becomes
 * the reverse of what the flow rewrites to, and the error goes to where the flow's packets go.
 */
STAGE int rewrite_icmp(struct xdp_md *context, struct packet *packet, struct flow *flow) {
  if (!packet || !flow) return -1;
  struct scratch *room = scratch_room();
  if (!room) return -1;
  struct tuple *before = &room->before, *after = &room->after;
  reverse(before, &packet->tuple);
  reverse(after, &flow->to);
  __u64 addresses = tuple_difference(before, after);
  __u64 sum = addresses;
  if (rewrite_quoted_addresses(context, packet, after, &sum)) return -1;
  struct udphdr *ports = bytes_at(context, packet->quoted_l4, 8);
  if (!ports) return -1;
  __u64 ports_sum = port_difference(before, after);
  ports->source = after->source_port;
  ports->dest = after->destination_port;
  sum += ports_sum;
  __sum16 *checksum = quoted_checksum(context, packet);
  if (checksum && (*checksum != 0 || packet->tuple.protocol == IPPROTO_TCP)) {
    __u16 old = *checksum;
    *checksum = change_checksum(old, addresses + ports_sum);
    sum += difference(old, *checksum);
  }
  struct address source, *destination = &after->source;
  if (packet->is_ipv6) {
    struct ipv6hdr *ip = bytes_at(context, packet->l3, sizeof *ip);
    if (!ip) return -1;
    struct address old_source, old_destination;
    set_ipv6(&old_source, &ip->saddr);
    set_ipv6(&old_destination, &ip->daddr);
    source = flow->flags & FLOW_REPLY || !is_same_address(&after->destination, &packet->tuple.source) ? after->destination : old_source;
    sum += address_difference(&old_source, &source) + address_difference(&old_destination, destination);
  } else {
    struct iphdr *ip = bytes_at(context, packet->l3, sizeof *ip);
    if (!ip) return -1;
    set_ipv4(&source, ip->saddr);
    if (flow->flags & FLOW_REPLY || !is_same_address(&after->destination, &packet->tuple.source)) source = after->destination;
  }
  __sum16 *icmp = bytes_at(context, packet->l4 + 2, 2);
  if (!icmp) return -1;
  *icmp = change_checksum(*icmp, sum);
  return rewrite_addresses(context, packet, &source, destination);
}

#endif
