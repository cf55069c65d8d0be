/*
 * From bytes to a tuple. A packet that cannot be read (cut short, of another protocol, with headers we do not know) is passed to the
 * stack as it came: it may be anybody's, and whether it is ours can only be said of one that can be read.
 */
#ifndef EVENER_PARSE_H
#define EVENER_PARSE_H

#include "packet.h"

#define MAX_L4_OFFSET 512
#define MAX_EXTENSIONS 6

struct vlan_tag {
  __be16 control;
  __be16 protocol;
};

/* Ports, of a protocol that has them; TCP's flags if the whole fixed header is there. */
INLINE int parse_ports(struct xdp_md *context, struct packet *packet) {
  __u8 protocol = packet->tuple.protocol;
  __u32 needed = protocol == IPPROTO_TCP ? 20 : protocol == IPPROTO_UDP ? 8 : protocol == IPPROTO_SCTP ? 12 : 0;
  if (needed == 0) return XDP_PASS;
  if (packet->l4 + needed > packet->l3 + packet->ip_length) return XDP_PASS;
  struct udphdr *ports = bytes_at(context, packet->l4, 8);
  if (!ports) return XDP_PASS;
  packet->tuple.source_port = ports->source;
  packet->tuple.destination_port = ports->dest;
  if (protocol != IPPROTO_TCP) return GO_ON;
  __u8 *tcp = bytes_at(context, packet->l4, 20);
  if (!tcp) return XDP_PASS;
  packet->tcp_flags = tcp[13];
  return GO_ON;
}

/* Reads the quoted packet's ports from the 8 bytes that RFC 792 guarantees, and turns its tuple around. */
INLINE int parse_quoted_ports(struct xdp_md *context, struct packet *packet, struct tuple *quoted) {
  if (quoted->protocol != IPPROTO_TCP && quoted->protocol != IPPROTO_UDP && quoted->protocol != IPPROTO_SCTP) return XDP_PASS;
  struct udphdr *ports = bytes_at(context, packet->quoted_l4, 8);
  if (!ports) return XDP_PASS;
  quoted->source_port = ports->source;
  quoted->destination_port = ports->dest;
  reverse(&packet->tuple, quoted);
  packet->is_icmp_error = 1;
  return GO_ON;
}

INLINE int parse_icmp4(struct xdp_md *context, struct packet *packet) {
  struct icmp_header *icmp = bytes_at(context, packet->l4, sizeof *icmp);
  if (!icmp) return XDP_PASS;
  if (icmp->type != ICMP4_UNREACHABLE && icmp->type != ICMP4_EXPIRED && icmp->type != ICMP4_PARAMETER) return XDP_PASS;
  packet->quoted_l3 = packet->l4 + sizeof *icmp;
  struct iphdr *ip = bytes_at(context, packet->quoted_l3, sizeof *ip);
  if (!ip || ip->version != 4 || ip->ihl < 5 || (ip->frag_off & swap16(0x1fff))) return XDP_PASS;
  packet->quoted_l4 = packet->quoted_l3 + ip->ihl * 4;
  struct tuple quoted = {.protocol = ip->protocol};
  set_ipv4(&quoted.source, ip->saddr);
  set_ipv4(&quoted.destination, ip->daddr);
  return parse_quoted_ports(context, packet, &quoted);
}

INLINE int parse_icmp6(struct xdp_md *context, struct packet *packet) {
  struct icmp_header *icmp = bytes_at(context, packet->l4, sizeof *icmp);
  if (!icmp || icmp->type < ICMP6_UNREACHABLE || icmp->type > ICMP6_PARAMETER) return XDP_PASS;
  packet->quoted_l3 = packet->l4 + sizeof *icmp;
  struct ipv6hdr *ip = bytes_at(context, packet->quoted_l3, sizeof *ip);
  if (!ip || ip->version != 6) return XDP_PASS;
  packet->quoted_l4 = packet->quoted_l3 + sizeof *ip;
  struct tuple quoted = {.protocol = ip->nexthdr};
  set_ipv6(&quoted.source, &ip->saddr);
  set_ipv6(&quoted.destination, &ip->daddr);
  return parse_quoted_ports(context, packet, &quoted);
}

INLINE int parse_ipv4(struct xdp_md *context, struct packet *packet) {
  struct iphdr *ip = bytes_at(context, packet->l3, sizeof *ip);
  if (!ip || ip->version != 4 || ip->ihl < 5) return XDP_PASS;
  __u32 header = ip->ihl * 4;
  packet->ip_length = swap16(ip->tot_len);
  if (packet->ip_length < header) return XDP_PASS;
  if (packet->l3 + packet->ip_length > frame_length(context)) return XDP_PASS;
  packet->l4 = packet->l3 + header;
  packet->tos = ip->tos;
  packet->ttl = ip->ttl;
  packet->dont_fragment = (ip->frag_off & swap16(0x4000)) != 0;
  packet->identification = ip->id;
  packet->tuple.protocol = ip->protocol;
  set_ipv4(&packet->tuple.source, ip->saddr);
  set_ipv4(&packet->tuple.destination, ip->daddr);
  if (ip->frag_off & swap16(0x1fff)) {
    packet->fragment = FRAGMENT_LATER;
    return GO_ON;
  }
  if (ip->frag_off & swap16(0x2000)) packet->fragment = FRAGMENT_FIRST;
  if (ip->protocol == IPPROTO_ICMP) return packet->fragment ? XDP_PASS : parse_icmp4(context, packet);
  return parse_ports(context, packet);
}

struct extension {
  __u8 next;
  __u8 length;
  __be16 offset;
  __be32 identification;
};

/* Walks the extension headers; `l4` and the protocol are those behind the last. */
INLINE int parse_extensions(struct xdp_md *context, struct packet *packet, __u8 next) {
  __u32 offset = packet->l3 + sizeof(struct ipv6hdr);
#pragma clang loop unroll(full)
  for (int i = 0; i < MAX_EXTENSIONS; i++) {
    if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS && next != IPPROTO_FRAGMENT) break;
    struct extension *header = bytes_at(context, offset, sizeof *header);
    if (!header || offset > MAX_L4_OFFSET) return XDP_PASS;
    if (next == IPPROTO_FRAGMENT) {
      packet->identification = header->identification;
      packet->fragment = header->offset & swap16(0xfff8) ? FRAGMENT_LATER : header->offset & swap16(1) ? FRAGMENT_FIRST : FRAGMENT_NONE;
      next = header->next;
      offset += 8;
      if (packet->fragment == FRAGMENT_LATER) break;
      continue;
    }
    next = header->next;
    offset += (header->length + 1) * 8;
  }
  if (offset > MAX_L4_OFFSET) return XDP_PASS;
  packet->l4 = offset;
  packet->tuple.protocol = next;
  return GO_ON;
}

INLINE int parse_ipv6(struct xdp_md *context, struct packet *packet) {
  struct ipv6hdr *ip = bytes_at(context, packet->l3, sizeof *ip);
  if (!ip || ip->version != 6) return XDP_PASS;
  __u32 length = swap16(ip->payload_len) + sizeof *ip;
  if (length > 0xffff || packet->l3 + length > frame_length(context)) return XDP_PASS;
  packet->ip_length = length;
  packet->is_ipv6 = 1;
  packet->dont_fragment = 1;
  packet->tos = ip->priority << 4 | ip->flow_lbl[0] >> 4;
  packet->ttl = ip->hop_limit;
  set_ipv6(&packet->tuple.source, &ip->saddr);
  set_ipv6(&packet->tuple.destination, &ip->daddr);
  __u8 next = ip->nexthdr;
  if (next == IPPROTO_TCP || next == IPPROTO_UDP) {
    packet->l4 = packet->l3 + sizeof *ip;
    packet->tuple.protocol = next;
    return parse_ports(context, packet);
  }
  if (parse_extensions(context, packet, next) != GO_ON) return XDP_PASS;
  if (packet->fragment == FRAGMENT_LATER) return GO_ON;
  if (packet->tuple.protocol == IPPROTO_ICMPV6) return packet->fragment ? XDP_PASS : parse_icmp6(context, packet);
  return parse_ports(context, packet);
}

STAGE int parse(struct xdp_md *context, struct packet *packet) {
  if (!packet) return XDP_PASS;
  struct ethhdr *ethernet = bytes_at(context, 0, sizeof *ethernet);
  if (!ethernet) return XDP_PASS;
  __be16 protocol = ethernet->h_proto;
  packet->l3 = sizeof *ethernet;
#pragma clang loop unroll(full)
  for (int i = 0; i < 2; i++) {
    if (protocol != swap16(ETH_P_8021Q) && protocol != swap16(ETH_P_8021AD)) break;
    struct vlan_tag *tag = bytes_at(context, packet->l3, sizeof *tag);
    if (!tag) return XDP_PASS;
    packet->tag[i] = (__u32)tag->control << 16 | protocol;
    packet->tags = i + 1;
    packet->l3 += sizeof *tag;
    protocol = tag->protocol;
  }
  if (protocol == swap16(ETH_P_IP)) return parse_ipv4(context, packet);
  if (protocol == swap16(ETH_P_IPV6)) return parse_ipv6(context, packet);
  return XDP_PASS;
}

#endif
