/*
 * The words that the programs and the control thread share. TypeScript reads the values of all enums, and the places of all fields, from
 * the object's BTF: they are written here and nowhere else.
 */
#ifndef EVENER_WORDS_H
#define EVENER_WORDS_H

#include "helpers.h"

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

enum server_flag { SERVER_DOWN = 1, SERVER_DRAIN = 2, SERVER_REMOVED = 4, SERVER_WAITING = 8 };

enum access { ACCESS_ALLOW = 1, ACCESS_DENY = 2 };

/* Where packets of services ended, one counter each. What is not ours is counted nowhere and costs one lookup. */
enum verdict {
  VERDICT_FORWARDED,
  VERDICT_REPLIED,
  VERDICT_ICMP_FORWARDED,
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
  VERDICT_COUNT
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
