/*
 * What the programs and the control thread share. TypeScript reads the places of all fields, and the values of all enums, from the
 * object's BTF: they are written here and nowhere else.
 */
#ifndef EVENER_TYPES_H
#define EVENER_TYPES_H

#include "helpers.h"

#define MAX_ROSTER 1024
#define MAX_RANGES 16

/* In network order; IPv4 as ::ffff:a.b.c.d, so that one table holds both families. */
struct address {
  __u32 word[4];
};

struct tuple {
  struct address source;
  struct address destination;
  __be16 source_port;
  __be16 destination_port;
  __u8 protocol;
  __u8 unused[3];
};

enum forward { FORWARD_NAT, FORWARD_FULLNAT, FORWARD_DR, FORWARD_TUN };

enum encapsulation { ENCAPSULATION_IPIP, ENCAPSULATION_GUE };

/* How the server of a new flow is found. */
enum pick {
  PICK_NEXT,             /* the next place in the table: round robin, weighted round robin */
  PICK_RANDOM,           /* any place in the table: random, weighted random */
  PICK_TWO_CHOICES,      /* the better of two random places */
  PICK_SOURCE,           /* the table by a hash of the client's address */
  PICK_DESTINATION,      /* … of the address the client wants */
  PICK_TUPLE,            /* … of addresses and ports */
  PICK_LEAST,            /* fewest connections */
  PICK_WEIGHTED_LEAST,   /* fewest connections for its weight */
  PICK_SHORTEST_DELAY,   /* least (active + 1) / weight */
  PICK_NEVER_QUEUE,      /* an idle one if there is, else as before */
  PICK_FIRST,            /* the first of the list that is below its limit */
  PICK_FAILOVER,         /* the heaviest */
  PICK_OVERFLOW,         /* the heaviest with fewer active connections than weight */
  PICK_LOCALITY,         /* keeps a destination on its server */
  PICK_LOCALITY_REPLICATED
};

enum service_flag {
  SERVICE_PERSISTENT = 1,
  SERVICE_ONE_PACKET = 2,
  SERVICE_RESET_ON_DOWN = 4,
  SERVICE_HASH_PORT = 8,
  SERVICE_FALLBACK = 16,
  SERVICE_HAS_ACCESS_LIST = 32,
  SERVICE_DENY_OTHERS = 64,
  SERVICE_COOKIES_ALWAYS = 128,
  SERVICE_COOKIES_AUTO = 256,
  SERVICE_HAS_RATE = 512,
  SERVICE_MIRROR = 1024
};

enum flow_state { STATE_NEW, STATE_ESTABLISHED, STATE_FIN_WAIT, STATE_TIME_WAIT, STATE_CLOSED, STATE_DATAGRAM, STATE_COUNT };

enum flow_flag {
  FLOW_REPLY = 1,
  FLOW_FIN_CLIENT = 2,
  FLOW_FIN_SERVER = 4,
  FLOW_COOKIE_WAITING = 8,
  FLOW_COOKIE = 16,
  FLOW_ANSWERED = 32
};

enum server_flag { SERVER_DOWN = 1, SERVER_DRAIN = 2, SERVER_REMOVED = 4 };

enum access { ACCESS_ALLOW = 1, ACCESS_DENY = 2 };

/* Where packets of services ended, one counter each. What is not ours is counted nowhere and costs one lookup. */
enum verdict {
  VERDICT_FORWARDED,
  VERDICT_REPLIED,
  VERDICT_ICMP_FORWARDED,
  VERDICT_STATELESS,
  VERDICT_TO_STACK,
  VERDICT_NO_SERVER,
  VERDICT_NO_NEIGHBOUR,
  VERDICT_NO_ROUTE,
  VERDICT_TABLE_FULL,
  VERDICT_PORTS_EXHAUSTED,
  VERDICT_STRAY,
  VERDICT_RESET_SENT,
  VERDICT_SERVER_GONE,
  VERDICT_TOO_BIG,
  VERDICT_TOO_BIG_SENT,
  VERDICT_EXPIRED_SENT,
  VERDICT_ICMP_LIMITED,
  VERDICT_FRAGMENT_LOST,
  VERDICT_DENIED,
  VERDICT_RATE_LIMITED,
  VERDICT_COOKIE_SENT,
  VERDICT_COOKIE_ACCEPTED,
  VERDICT_COOKIE_REFUSED,
  VERDICT_MIRRORED,
  VERDICT_UNSUPPORTED,
  VERDICT_COUNT
};

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
  __u8 unused[2];
};

struct roster {
  __u32 count;
  __u32 server[MAX_ROSTER];
};

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

struct persistence_key {
  struct address client;
  __u32 service;
};

struct persistence {
  __u64 until;
  __u32 server;
  __u32 unused;
};

struct access_key {
  __u32 prefix;
  __u32 service;
  struct address address;
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
  __u16 vlan;
  __u16 destination[3];
  __u16 source[3];
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

struct settings {
  struct address tunnel_source4;
  struct address tunnel_source6;
  __u32 icmp_per_second;
  /* Tables that are empty need not be looked into for every packet that is not ours. */
  __u32 has_ranges;
  __u32 has_origins;
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
  struct candidate best;
};

/* Argument and result of the program that ages flows. */
struct ageing {
  __u64 now;
  __u64 visited;
  __u64 removed;
  __u64 kept;
};

/* Names every enum once, so that the compiler describes them all in the BTF. */
struct vocabulary {
  enum forward forward;
  enum encapsulation encapsulation;
  enum pick pick;
  enum service_flag service_flag;
  enum flow_state flow_state;
  enum flow_flag flow_flag;
  enum server_flag server_flag;
  enum access access;
  enum verdict verdict;
};

#endif
