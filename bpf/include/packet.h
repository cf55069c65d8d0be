/* What is known of the packet at hand, and the arithmetic that every stage needs. */
#ifndef EVENER_PACKET_H
#define EVENER_PACKET_H

#include "tables.h"
#include "state.h"

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

/* A stage returns this to hand the packet to the next one; anything else is the verdict for the driver. */
#define GO_ON -1

enum { FRAGMENT_NONE, FRAGMENT_FIRST, FRAGMENT_LATER };
enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };
/* RFC 792 and RFC 4443: types of errors, which quote the packet that they are about. */
enum { ICMP4_UNREACHABLE = 3, ICMP4_EXPIRED = 11, ICMP4_PARAMETER = 12, ICMP4_CODE_TOO_BIG = 4 };
enum { ICMP6_UNREACHABLE = 1, ICMP6_TOO_BIG = 2, ICMP6_EXPIRED = 3, ICMP6_PARAMETER = 4 };

struct icmp_header {
  __u8 type;
  __u8 code;
  __sum16 checksum;
  /* The MTU of a packet too big: all of it in ICMPv6, the low half in ICMP. */
  __be32 rest;
};

#define NANOSECONDS 1000000000ULL

/* Set by the loader before the verifier looks. */
const volatile __u32 tick_nanoseconds = 4000000;

/* Monotonic time to the tick. The kernel's clock, coarse as it is, costs 20 ns; the ticks lie in memory, and their address in the code. */
INLINE __u64 coarse_now(void) {
  return bpf_jiffies64() * tick_nanoseconds;
}

struct packet {
  struct tuple tuple;
  __u64 now;
  /* Offsets from the start of the frame. */
  __u16 l3;
  __u16 l4;
  /* Of an ICMP error: the quoted packet, whose tuple, reversed, stands in `tuple`. */
  __u16 quoted_l3;
  __u16 quoted_l4;
  __u16 ip_length;
  __u16 tags;
  __u32 tag[2];
  __u32 identification;
  __u8 is_ipv6;
  __u8 is_icmp_error;
  __u8 fragment;
  __u8 dont_fragment;
  __u8 tcp_flags;
  __u8 tos;
  __u8 ttl;
  __u8 unused;
  /* The service's, or 0. */
  __u32 mirror_to;
  __u32 mirror_per_mille;
  /* Of the control thread's tables, before anything of them was looked at. */
  __u32 generation;
};

/* `length` bytes at `offset` of the frame, or NULL if the frame ends before. */
INLINE void *bytes_at(struct xdp_md *context, __u32 offset, __u32 length) {
  void *end = (void *)(long)context->data_end;
  offset &= 0x7ff;
  KEEP(offset);
  void *start = (void *)(long)context->data + offset;
  KEEP(start);
  return start + length > end ? 0 : start;
}

INLINE __u32 frame_length(struct xdp_md *context) {
  void *end = (void *)(long)context->data_end;
  void *start = (void *)(long)context->data;
  KEEP(start);
  __u64 length = (__u64)(end - start);
  KEEP(length);
  return length;
}

INLINE int is_same_address(const struct address *a, const struct address *b) {
  return a->word[3] == b->word[3] && a->word[2] == b->word[2] && a->word[1] == b->word[1] && a->word[0] == b->word[0];
}

INLINE void set_ipv4(struct address *address, __be32 value) {
  address->word[0] = 0;
  address->word[1] = 0;
  address->word[2] = swap32(0xffff);
  address->word[3] = value;
}

INLINE void set_ipv6(struct address *address, const struct in6_addr *value) {
  address->word[0] = value->in6_u.u6_addr32[0];
  address->word[1] = value->in6_u.u6_addr32[1];
  address->word[2] = value->in6_u.u6_addr32[2];
  address->word[3] = value->in6_u.u6_addr32[3];
}

INLINE int is_ipv4(const struct address *address) {
  return address->word[0] == 0 && address->word[1] == 0 && address->word[2] == swap32(0xffff);
}

/* Both ports as they lie in the packet. */
INLINE __u32 port_word(const struct tuple *tuple) {
  return (__u32)tuple->destination_port << 16 | tuple->source_port;
}

INLINE void reverse(struct tuple *out, const struct tuple *in) {
  out->source = in->destination;
  out->destination = in->source;
  out->source_port = in->destination_port;
  out->destination_port = in->source_port;
  out->protocol = in->protocol;
  out->unused[0] = out->unused[1] = out->unused[2] = 0;
}

INLINE __u32 mix(__u32 hash, __u32 value) {
  hash ^= value * 0xcc9e2d51;
  hash = (hash << 15) | (hash >> 17);
  return hash * 0x1b873593 + 0xe6546b64;
}

INLINE __u32 finish(__u32 hash) {
  hash ^= hash >> 16;
  hash *= 0x85ebca6b;
  hash ^= hash >> 13;
  hash *= 0xc2b2ae35;
  return hash ^ (hash >> 16);
}

/* Seeded, so that a client cannot choose its server; the same on all balancers that have the same seed. */
INLINE __u32 hash_address(const struct address *address, __u32 seed) {
  return mix(mix(mix(mix(seed, address->word[0]), address->word[1]), address->word[2]), address->word[3]);
}

INLINE __u32 hash_tuple(const struct tuple *tuple, __u32 seed) {
  __u32 hash = hash_address(&tuple->destination, hash_address(&tuple->source, seed));
  hash = mix(hash, ((__u32)tuple->source_port << 16) | tuple->destination_port);
  return finish(mix(hash, tuple->protocol));
}

/* One's complement sums in 64 bits; RFC 1624. */
INLINE __u16 fold(__u64 sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

INLINE __u64 difference(__u32 before, __u32 after) {
  return (__u64)(__u32)~before + after;
}

INLINE __u16 change_checksum(__u16 checksum, __u64 sum) {
  return ~fold((__u64)(__u16)~checksum + sum);
}

#endif
