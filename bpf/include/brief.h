/*
 * Brief shortcuts: of flows for which the server is all that must be known (DR, TUN, and NAT towards the server with the client's port),
 * eight bytes, so that those of a million flows are 10 MB, which caches hold.
 *
 *     63                    20 19      12 11        0
 *     ├── fingerprint ────────┼─ until ──┼─ server ──┤      eight places in a line; a flow has a place in one of two lines
 *
 * The fingerprint is 44 bits of a hash, of which the others name the line; it is keyed by a random number and the generation of the control
 * thread's tables. That another flow has the same in the same line happens once for some 10^12 flows that begin: its packets go
 * to the other's server until the time is over.
 */
#ifndef EVENER_BRIEF_H
#define EVENER_BRIEF_H

#include "maps.h"

/* Set by the loader: lines, and the key of hashes. */
const volatile __u32 brief_lines_count = 1;
const volatile __u64 shortcut_seed = 0;

#define BRIEF_PLACES 8
#define BRIEF_FINGERPRINT (~0ULL << 20)
/* Not 0: an empty place is no flow's. */
#define BRIEF_NEVER_EMPTY (1ULL << 20)
#define BRIEF_SERVER(word) ((__u32)(word) & 0xfff)
/* Some four seconds, in which brief shortcuts count time; after 256 of them it begins anew, when a flow with this time-out is long forgotten. */
#define BRIEF_MOMENT(now) ((__u32)((now) >> 32) & 0xff)
#define BRIEF_TIMEOUT_LEAST 80
#define BRIEF_TIMEOUT_MOST 1000
#define BRIEF_RENEWAL_MOST 14

INLINE __u64 brief_hash(__u64 addresses, __u64 flow, __u32 generation) {
  __u64 hash = (addresses ^ shortcut_seed) * 0x9e3779b97f4a7c15ULL;
  hash = (hash ^ hash >> 32 ^ flow ^ (__u64)generation << 40) * 0xd6e8feb86659fd93ULL;
  return hash ^ hash >> 29;
}

INLINE struct brief_line *brief_line(__u64 hash, int second) {
  __u64 place = second ? (hash * 0x9e3779b97f4a7c15ULL) >> 32 : hash >> 32;
  __u32 index = place * brief_lines_count >> 32;
  return bpf_map_lookup_elem(&briefs, &index);
}

INLINE __u64 fingerprint(__u64 hash) {
  return hash << 20 | BRIEF_NEVER_EMPTY;
}

INLINE int has_fingerprint(__u64 word, __u64 wanted) {
  return (word ^ wanted) < BRIEF_NEVER_EMPTY;
}

/*
 * A branch for each place: as the right one is foreseen more often than not, what follows need not wait for the whole line. 90 ns less
 * than a choice by masks, at 10,000 flows; bench/packet.
 */
INLINE __u64 find_in_line(const struct brief_line *line, __u64 wanted) {
#pragma clang loop unroll(full)
  for (int i = 0; i < BRIEF_PLACES; i++) {
    __u64 word = line->place[i];
    if (has_fingerprint(word, wanted)) return word;
  }
  return 0;
}

INLINE __u64 find_brief(__u64 addresses, __u64 flow, __u32 generation) {
  __u64 hash = brief_hash(addresses, flow, generation);
  struct brief_line *line = brief_line(hash, 0);
  if (!line) return 0;
  __u64 found = find_in_line(line, fingerprint(hash));
  if (found) return found;
  line = brief_line(hash, 1);
  return line ? find_in_line(line, fingerprint(hash)) : 0;
}

INLINE int is_brief_in_force(__u64 word, __u32 moment) {
  return (((__u32)(word >> 12) - moment - 1) & 0xff) < BRIEF_RENEWAL_MOST;
}

INLINE int drop_brief(__u64 addresses, __u64 flow, __u32 generation) {
  __u64 hash = brief_hash(addresses, flow, generation);
#pragma clang loop unroll(full)
  for (int second = 0; second < 2; second++) {
    struct brief_line *line = brief_line(hash, second);
    if (!line) return 0;
#pragma clang loop unroll(full)
    for (int i = 0; i < BRIEF_PLACES; i++) {
      if (has_fingerprint(line->place[i], fingerprint(hash))) line->place[i] = 0;
    }
  }
  return 0;
}

/* In the flow's own place, else in one that nobody has in force. 0 if there is none. */
INLINE int learn_brief(__u64 addresses, __u64 flow, __u32 generation, __u32 server, __u32 moment, __u32 moments) {
  __u64 hash = brief_hash(addresses, flow, generation);
  __u64 *free = 0;
#pragma clang loop unroll(full)
  for (int second = 0; second < 2; second++) {
    struct brief_line *line = brief_line(hash, second);
    if (!line) return 0;
#pragma clang loop unroll(disable)
    for (int i = 0; i < BRIEF_PLACES; i++) {
      __u64 word = line->place[i];
      int is_own = has_fingerprint(word, fingerprint(hash));
      if (is_own || (!free && (word == 0 || !is_brief_in_force(word, moment)))) free = &line->place[i];
      if (is_own) goto found;
    }
  }
  if (!free) return 0;
found:
  *free = fingerprint(hash) | ((moment + moments) & 0xff) << 12 | server;
  return 1;
}

#endif
