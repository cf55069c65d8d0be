/*
 * What the control thread writes and the programs read. TypeScript finds the fields by the object's BTF.
 */
#ifndef EVENER_TABLES_H
#define EVENER_TABLES_H

#include "words.h"

#define MAX_ROSTER 1024
#define MAX_RANGES 16

struct service_key {
  struct address address;
  __be16 port;
  __u8 protocol;
  __u8 unused;
};

struct range_key {
  struct address address;
  __u32 protocol;
};

struct range {
  __u16 first;
  __u16 last;
  __u32 service;
};

struct ranges {
  __u32 count;
  struct range range[MAX_RANGES];
};

struct service {
  __u32 pick;
  __u32 flags;
  __u32 table_size;
  __u32 hash_seed;
  __u32 persistence_seconds;
  __u32 persistence_bits4;
  __u32 persistence_bits6;
  __u32 timeout_seconds[STATE_COUNT];
  __u32 rate_per_second;
  __u32 rate_burst;
  __u32 cookies_above;
  __u32 access_generation;
  __u32 mirror_per_mille;
  __u32 mirror_port;
  __u16 first_port;
  __u16 last_port;
  __u32 local_first;
  __u32 local_count;
};

struct server {
  struct address address;
  __u32 weight;
  __u32 flags;
  __u32 upper;
  __u32 lower;
  __be16 port;
  __be16 gue_port;
  __u8 forward;
  __u8 encapsulation;
  /* Of a waiting one: how many tiers (priorities) come before it. */
  __u8 tier;
  __u8 unused;
};

struct roster {
  __u32 count;
  __u32 server[MAX_ROSTER];
};

struct access_key {
  __u32 prefix;
  __u32 service;
  struct address address;
};

/* A VLAN interface: packets for it leave through its parent with a tag. */
struct link {
  __u32 parent;
  __u32 vlan;
};

/* Where a packet leaves, and where a copy of it does. */
struct mirror_key {
  __u32 out;
  __u32 mirror;
};

struct settings {
  struct address tunnel_source4;
  struct address tunnel_source6;
  __u32 icmp_per_second;
  /* Tables that are empty need not be looked into for every packet that is not ours. */
  __u32 has_ranges;
  __u32 has_origins;
  __u32 has_full_shortcuts;
  /* Another one ends all shortcuts. */
  __u32 generation;
};

/* The reply of a one-packet service: what a server's own address and port stand for. */
struct origin_key {
  struct address address;
  __be16 port;
  __u8 protocol;
  __u8 unused;
};

struct origin {
  struct address address;
  __be16 port;
  __u16 unused;
  __u32 server;
};

#endif
