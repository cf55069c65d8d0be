/*
 * The server for a new flow, by the service's algorithm. Results are a server's number + 1, or 0 if there is none. Tables are made by
 * the control thread (weighted round robin as a smooth sequence, Maglev, buckets of source-hash); what they hold is looked at again
 * here, so a server that went down a moment ago is never picked.
 */
#ifndef EVENER_SCHEDULE_H
#define EVENER_SCHEDULE_H

#include "maps.h"

#define PROBES 64
#define LOCALITY_MOST 7
#define REPLICAS_SHRINK_AFTER (24ULL * 3600 * NANOSECONDS)

/* Above `upper` no new flows until fewer than `lower` (or ¾ of upper) are left. */
INLINE int is_full(struct load *load, const struct server *server) {
  if (server->upper == 0) return 0;
  __u32 total = load->active + load->inactive + load->young;
  if (total >= server->upper) load->overloaded = 1;
  else if (load->overloaded && total < (server->lower ? server->lower : server->upper - server->upper / 4)) load->overloaded = 0;
  return load->overloaded;
}

/* `flags`: 0, or SERVER_WAITING to look at those whose turn has not come. */
INLINE int has_room(__u32 index, __u32 flags, struct candidate *candidate) {
  struct server *server = bpf_map_lookup_elem(&servers, &index);
  struct load *load = bpf_map_lookup_elem(&loads, &index);
  if (!server || !load || server->weight == 0 || server->flags != flags || is_full(load, server)) return 0;
  candidate->server = index + 1;
  candidate->weight = server->weight;
  candidate->active = load->active;
  candidate->overhead = load->active * 256 + load->inactive + load->young;
  return 1;
}

INLINE int is_eligible(__u32 index, struct candidate *candidate) {
  return has_room(index, 0, candidate);
}

INLINE int is_better(__u32 pick, const struct candidate *a, const struct candidate *best) {
  switch (pick) {
    case PICK_LEAST:
      return a->overhead < best->overhead;
    case PICK_SHORTEST_DELAY:
      return (__u64)(a->active + 1) * best->weight < (__u64)(best->active + 1) * a->weight;
    case PICK_NEVER_QUEUE:
      if (best->active == 0) return 0;
      if (a->active == 0) return 1;
      return (__u64)(a->active + 1) * best->weight < (__u64)(best->active + 1) * a->weight;
    case PICK_FIRST:
      return 0;
    case PICK_FAILOVER:
    case PICK_OVERFLOW:
      return a->weight > best->weight;
    default:
      return (__u64)a->overhead * best->weight < (__u64)best->overhead * a->weight;
  }
}

static long consider(__u32 index, struct search *search) {
  struct roster *roster = bpf_map_lookup_elem(&rosters, &search->service);
  if (!roster || index >= MAX_ROSTER || index >= roster->count) return 1;
  struct candidate candidate;
  if (!is_eligible(roster->server[index], &candidate)) return 0;
  if (candidate.active * 2 < candidate.weight) search->has_idle = 1;
  if (search->pick == PICK_OVERFLOW && candidate.active > candidate.weight) return 0;
  if (search->best.server == 0 || is_better(search->pick, &candidate, &search->best)) search->best = candidate;
  return search->pick == PICK_FIRST;
}

/* The best of the whole roster. */
STAGE __u32 pick_best(struct search *search) {
  if (!search) return 0;
  struct roster *roster = bpf_map_lookup_elem(&rosters, &search->service);
  if (!roster) return 0;
  struct search local = *search;
  bpf_loop(roster->count, consider, &local, 0);
  *search = local;
  return local.best.server;
}

static long consider_waiting(__u32 index, struct search *search) {
  struct roster *roster = bpf_map_lookup_elem(&rosters, &search->service);
  if (!roster || index >= MAX_ROSTER || index >= roster->count) return 1;
  __u32 server_index = roster->server[index];
  struct server *server = bpf_map_lookup_elem(&servers, &server_index);
  struct candidate candidate;
  if (!server || !has_room(server_index, SERVER_WAITING, &candidate)) return 0;
  if (search->best.server && server->tier > search->tier) return 0;
  if (search->best.server && server->tier == search->tier && !is_better(PICK_WEIGHTED_LEAST, &candidate, &search->best)) return 0;
  search->tier = server->tier;
  search->best = candidate;
  return 0;
}

/* All that have their turn are full or gone: the least loaded of the next priority that has room. */
STAGE __u32 pick_waiting(__u32 service_index) {
  struct roster *roster = bpf_map_lookup_elem(&rosters, &service_index);
  if (!roster) return 0;
  struct search search = {.service = service_index};
  bpf_loop(roster->count, consider_waiting, &search, 0);
  return search.best.server;
}

INLINE __u32 table_entry(__u32 service, __u32 index) {
  void *table = bpf_map_lookup_elem(&tables, &service);
  if (!table) return 0;
  __u32 *entry = bpf_map_lookup_elem(table, &index);
  return entry ? *entry : 0;
}

static long probe(__u32 attempt, struct search *search) {
  __u32 entry = table_entry(search->service, (search->start + attempt * search->skip) % search->size);
  return entry != 0 && is_eligible(entry - 1, &search->best);
}

/* The table's place `start`, or the next of a sequence of places that depends only on the hash, so that all balancers agree. */
STAGE __u32 pick_place(struct search *search, __u32 size, __u32 attempts) {
  if (!search || size == 0) return 0;
  struct search local = *search;
  local.size = size;
  local.start %= size;
  bpf_loop(attempts, probe, &local, 0);
  *search = local;
  if (search->best.server || attempts == 1) return search->best.server;
  search->pick = PICK_WEIGHTED_LEAST;
  return pick_best(search);
}

INLINE __u32 pick_next(struct search *search, struct service *service) {
  __u32 *cursor = bpf_map_lookup_elem(&cursors, &search->service);
  if (!cursor) return 0;
  search->start = __sync_fetch_and_add(cursor, 1);
  search->skip = 1;
  return pick_place(search, service->table_size, PROBES);
}

INLINE __u32 pick_two(struct search *search, struct service *service) {
  search->skip = 1;
  search->start = bpf_get_prandom_u32();
  if (!pick_place(search, service->table_size, PROBES)) return 0;
  struct candidate first = search->best;
  search->start = bpf_get_prandom_u32();
  pick_place(search, service->table_size, PROBES);
  if (is_better(PICK_WEIGHTED_LEAST, &first, &search->best)) return first.server;
  return search->best.server;
}

INLINE __u32 place_hash(const struct packet *packet, const struct service *service) {
  if (service->pick == PICK_DESTINATION) return finish(hash_address(&packet->tuple.destination, service->hash_seed));
  if (service->pick != PICK_SOURCE) return hash_tuple(&packet->tuple, service->hash_seed);
  __u32 hash = hash_address(&packet->tuple.source, service->hash_seed);
  return finish(service->flags & SERVICE_HASH_PORT ? mix(hash, packet->tuple.source_port) : hash);
}

INLINE __u32 pick_hashed(struct search *search, const struct packet *packet, struct service *service) {
  __u32 hash = place_hash(packet, service);
  search->start = hash;
  search->skip = finish(hash) % 251 + 1;
  return pick_place(search, service->table_size, service->flags & SERVICE_FALLBACK ? PROBES : 1);
}

/* Wanted: a server with less than half its weight in active flows, while the destination's own has more than its weight. */
INLINE int should_move(struct search *search, const struct candidate *own) {
  return own->active > own->weight && search->has_idle;
}

INLINE void join(struct locality *set, __u32 server, __u32 most, __u64 now) {
  __u32 at = set->count < most ? set->count : most - 1;
  if (at >= LOCALITY_MOST) return;
  set->server[at] = server;
  set->count = at + 1;
  set->changed = now;
}

/* Drops the most loaded of a set that has not changed for a day (lblcr). */
INLINE void shrink(struct locality *set, __u32 most_loaded, __u64 now) {
  if (set->count < 2 || now - set->changed < REPLICAS_SHRINK_AFTER || most_loaded >= LOCALITY_MOST) return;
  __u32 last = set->count - 1;
  if (last >= LOCALITY_MOST) return;
  set->server[most_loaded] = set->server[last];
  set->count = last;
  set->changed = now;
}

STAGE __u32 pick_local(struct packet *packet, __u32 service_index, __u32 replicas) {
  if (!packet) return 0;
  struct locality_key key = {.destination = packet->tuple.destination, .service = service_index};
  struct scratch *room = scratch_room();
  if (!room) return 0;
  struct candidate each, *own = &room->own, *worst = &room->worst;
  __builtin_memset(&room->search, 0, sizeof room->search);
  room->search.service = service_index;
  room->search.pick = PICK_WEIGHTED_LEAST;
  own->server = worst->server = 0;
  struct locality *set = &room->locality;
  struct locality *known = bpf_map_lookup_elem(&localities, &key);
  if (known) *set = *known;
  else __builtin_memset(set, 0, sizeof *set);
  __u32 worst_at = 0;
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < LOCALITY_MOST; i++) {
    if (i >= set->count || !is_eligible(set->server[i] - 1, &each)) continue;
    if (own->server == 0 || is_better(PICK_WEIGHTED_LEAST, &each, own)) *own = each;
    if (worst->server == 0 || is_better(PICK_WEIGHTED_LEAST, worst, &each)) {
      *worst = each;
      worst_at = i;
    }
  }
  __u32 best = pick_best(&room->search);
  if (own->server == 0) {
    set->count = 0;
    if (best) join(set, best, replicas, packet->now);
  } else if (best && should_move(&room->search, own)) {
    join(set, best, replicas, packet->now);
  } else {
    best = own->server;
    shrink(set, worst_at, packet->now);
  }
  bpf_map_update_elem(&localities, &key, set, BPF_ANY);
  return best;
}

STAGE __u32 pick_server(struct packet *packet, __u32 service_index, struct service *service) {
  if (!packet || !service) return 0;
  struct search search = {.service = service_index, .pick = service->pick, .skip = 1};
  switch (service->pick) {
    case PICK_NEXT:
      return pick_next(&search, service);
    case PICK_RANDOM:
      search.start = bpf_get_prandom_u32();
      return pick_place(&search, service->table_size, PROBES);
    case PICK_TWO_CHOICES:
      return pick_two(&search, service);
    case PICK_SOURCE:
    case PICK_DESTINATION:
    case PICK_TUPLE:
      return pick_hashed(&search, packet, service);
    default:
      return pick_best(&search);
  }
}

/* The server of a flow that is in no table and not new: by hash, so that every balancer says the same. */
STAGE __u32 pick_stateless(struct packet *packet, __u32 service_index, struct service *service) {
  if (!packet || !service) return 0;
  struct search search = {.service = service_index, .pick = PICK_TUPLE, .skip = 1};
  search.start = place_hash(packet, service);
  search.skip = finish(search.start) % 251 + 1;
  return pick_place(&search, service->table_size, PROBES);
}

#endif
