/*
 * What the programs write: flows, counts, and what they remember on the way. TypeScript finds the fields by the object's BTF.
 */
#ifndef EVENER_STATE_H
#define EVENER_STATE_H

#include "words.h"

/* Flows of a server: established, others in the table, and those that have not been confirmed yet. */
struct load {
  __u32 active;
  __u32 inactive;
  __u32 young;
  __u32 overloaded;
};

struct traffic {
  __u64 packets;
  __u64 bytes;
  __u64 flows;
};

struct flow {
  struct tuple to;
  __u64 seen;
  __u32 server;
  __u32 service;
  __u32 state;
  __u32 flags;
  __u32 access_generation;
  __u32 shift;
};

/* Four words: shortcut.h says what is in them. */
struct shortcut {
  __u64 addresses;
  __u64 flow;
  __u64 to_addresses;
  __u64 to;
};

struct brief_line {
  __u64 place[8];
};

struct shortcut_line {
  struct shortcut place[2];
};

struct persistence_key {
  struct address client;
  __u32 service;
};

struct persistence {
  __u64 until;
  __u32 server;
  __u32 unused;
};

struct source_key {
  struct address address;
  __u32 service;
};

struct bucket {
  __u64 updated;
  __u64 milli_tokens;
};

struct fragment_key {
  struct address source;
  struct address destination;
  __u32 identification;
  __u32 protocol;
};

struct ports {
  __be16 source;
  __be16 destination;
};

/* The next hop to an address, as the routing table said it a moment ago. */
struct hop {
  struct address to;
  __u64 until;
  __u32 ifindex;
  __u32 mtu;
  __u32 status;
  /* One behind the other, as in the frame. */
  __u16 destination[3];
  __u16 source[3];
  __u16 vlan;
};

struct locality_key {
  struct address destination;
  __u32 service;
};

/* The servers that serve one destination; one of them, unless replicated. */
struct locality {
  __u64 changed;
  __u32 count;
  __u32 server[7];
};

/* The kernel's ticks beside its clock, from which the loader learns how long a tick is. */
struct clock {
  __u64 ticks;
  __u64 nanoseconds;
};

/* A server that may be picked, as it was when it was looked at. `server` is its number + 1. */
struct candidate {
  __u32 server;
  __u32 weight;
  __u32 active;
  __u32 overhead;
};

struct search {
  __u32 service;
  __u32 pick;
  __u32 start;
  __u32 skip;
  __u32 size;
  /* Also wanted by locality: is there a server with less than half its weight in active flows? */
  __u32 has_idle;
  /* Of the best, where servers that wait for their turn are looked at. */
  __u32 tier;
  struct candidate best;
};

/* Argument and result of the program that forgets a flow whose time seems to be over. */
struct expiry {
  struct tuple key;
  __u64 now;
  __u32 removed;
  __u32 unused;
};

#endif
