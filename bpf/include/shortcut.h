/*
 * Shortcuts: what was decided for the packets of a confirmed flow, once more, in a form that is found with one miss of the cache. Those
 * of which the server is not all that must be known (NAT's answers, full NAT) are here, others in brief.h.
 *
 *     flow ── hash ─┬─▶ line (64 bytes): place, place          of these four places a flow has at most one;
 *                   └─▶ line (64 bytes): place, place          nobody is pushed out of one that is in force
 *
 * The flow tables stay what counts: a shortcut is written by the general way and holds for a short part of the flow's time-out, after
 * which a packet goes the general way again and renews both. So the flow table is told that a flow lives without a write for each packet,
 * lines are only read while nothing changes, and any CPU may read them. A flow that has no place goes the general way.
 *
 * Nothing is locked: the words of a place add up (exclusive or) to the addresses it is for, and a place that was read while it was
 * written does not.
 */
#ifndef EVENER_SHORTCUT_H
#define EVENER_SHORTCUT_H

#include "brief.h"

/* Set by the loader: lines less one, of which there are a power of two. */
const volatile __u32 shortcut_mask = 0;

/* Shortcuts are renewed this many times within a flow's time-out, and the ageing lets that much go by (see is_over). */
#define RENEWALS 16
#define RENEWAL_MOST 60
#define SHORTCUT_SLACK 8
/* About a second, in which shortcuts count time. */
#define MOMENT(now) ((__u16)((now) >> 30))

/* The words of a place: key, number of the server, and for flows that rewrite what the tuple becomes. */
#define FLOW_WORD(ports, protocol) ((__u64)(protocol) << 32 | (ports))
#define FLOW_WORD_KEY 0xffffffffffULL
#define SHORTCUT_REPLY (1ULL << 40)
#define SHORTCUT_SERVER(flow_word) ((__u32)((flow_word) >> 48))
#define TO_PORTS(to_word) ((__u32)((to_word) >> 32))
#define TO_UNTIL(to_word) ((__u16)((to_word) >> 16))
#define TO_GENERATION(to_word) ((__u16)(to_word))

struct shortcut_lines {
  __u32 index[2];
};

INLINE __u64 address_word(__be32 source, __be32 destination) {
  return (__u64)destination << 32 | source;
}

INLINE void find_lines(struct shortcut_lines *lines, __u64 addresses, __u64 flow) {
  __u64 hash = (addresses ^ shortcut_seed) * 0x9e3779b97f4a7c15ULL;
  hash = (hash ^ hash >> 32 ^ flow) * 0xd6e8feb86659fd93ULL;
  lines->index[0] = (hash >> 36) & shortcut_mask;
  lines->index[1] = (hash ^ hash >> 29) & shortcut_mask;
}

INLINE int is_for(const struct shortcut *place, __u64 addresses, __u64 flow) {
  __u64 known = place->flow;
  return ((known ^ flow) & FLOW_WORD_KEY) == 0 && (place->addresses ^ known ^ place->to_addresses ^ place->to) == addresses;
}

/* In force: of this generation of the control thread's tables, and its time is not over. */
INLINE int is_in_force(__u64 to_word, __u16 moment, __u32 generation) {
  return TO_GENERATION(to_word) == (__u16)generation && (__u16)(TO_UNTIL(to_word) - moment - 1) < 0x7fff;
}

/* The words of the flow's shortcut, or 0. What was read is what is used: the place may change meanwhile. */
INLINE int find_shortcut(struct shortcut *found, __u64 addresses, __u64 flow) {
  struct shortcut_lines lines;
  find_lines(&lines, addresses, flow);
#pragma clang loop unroll(full)
  for (int i = 0; i < 2; i++) {
    struct shortcut_line *line = bpf_map_lookup_elem(&shortcuts, &lines.index[i]);
    if (!line) return 0;
#pragma clang loop unroll(full)
    for (int j = 0; j < 2; j++) {
      *found = *(volatile struct shortcut *)&line->place[j];
      if (is_for(found, addresses, flow)) return 1;
    }
  }
  return 0;
}

INLINE int has_shortcuts(const struct tuple *tuple) {
  return (tuple->protocol == IPPROTO_TCP || tuple->protocol == IPPROTO_UDP) && is_ipv4(&tuple->source) && is_ipv4(&tuple->destination);
}

/* Before a flow is forgotten or ends. */
INLINE __u32 table_generation(void) {
  __u32 zero = 0;
  struct settings *own = bpf_map_lookup_elem(&settings, &zero);
  __u32 generation = own ? own->generation : 0;
  MEMORY_BARRIER();
  return generation;
}

STAGE int drop_shortcut(struct tuple *key) {
  if (!key || !has_shortcuts(key)) return 0;
  __u64 addresses = address_word(key->source.word[3], key->destination.word[3]);
  __u64 flow = FLOW_WORD(port_word(key), key->protocol);
  drop_brief(addresses, flow, table_generation());
  struct shortcut_lines lines;
  find_lines(&lines, addresses, flow);
#pragma clang loop unroll(full)
  for (int i = 0; i < 2; i++) {
    struct shortcut_line *line = bpf_map_lookup_elem(&shortcuts, &lines.index[i]);
    if (!line) return 0;
#pragma clang loop unroll(full)
    for (int j = 0; j < 2; j++) {
      if (is_for(&line->place[j], addresses, flow)) line->place[j].flow = 0;
    }
  }
  return 0;
}

/* Both directions of a flow that rewrites. */
INLINE void drop_shortcuts(struct tuple *key, const struct flow *flow) {
  drop_shortcut(key);
  if (flow->to.protocol == 0) return;
  struct tuple other;
  reverse(&other, &flow->to);
  drop_shortcut(&other);
}

/* The flow's own place, else one that nobody has in force. */
INLINE struct shortcut *choose_place(__u64 addresses, __u64 flow, __u16 moment, __u32 generation) {
  struct shortcut *free = 0;
  struct shortcut_lines lines;
  find_lines(&lines, addresses, flow);
#pragma clang loop unroll(full)
  for (int i = 0; i < 2; i++) {
    struct shortcut_line *line = bpf_map_lookup_elem(&shortcuts, &lines.index[i]);
    if (!line) return 0;
#pragma clang loop unroll(full)
    for (int j = 0; j < 2; j++) {
      struct shortcut *place = &line->place[j];
      if (is_for(place, addresses, flow)) return place;
      if (!free && (place->flow == 0 || !is_in_force(place->to, moment, generation))) free = place;
    }
  }
  return free;
}

/* All that is to be known of the flow is its server. */
INLINE int is_brief(const struct packet *packet, const struct flow *flow) {
  if (flow->flags & FLOW_REPLY) return 0;
  if (flow->to.protocol == 0) return 1;
  struct server *server = bpf_map_lookup_elem(&servers, &flow->server);
  if (!server || !is_same_address(&flow->to.source, &packet->tuple.source) || flow->to.source_port != packet->tuple.source_port) return 0;
  return is_same_address(&flow->to.destination, &server->address) &&
         flow->to.destination_port == (server->port ? server->port : packet->tuple.destination_port);
}

/* A quarter of the seconds, rounded down. */
INLINE __u32 brief_moments(__u32 moments) {
  __u32 most = moments * 15 / 64;
  return most > BRIEF_RENEWAL_MOST ? BRIEF_RENEWAL_MOST : most;
}

/*
 * Remembers what was decided for this packet's flow, of which `state` is the client's entry's. `flow` is the entry of the packet's own
 * direction. Cookies and mirrors want every packet looked at.
 */
STAGE int learn_shortcut(struct packet *packet, struct flow *flow, __u32 state) {
  if (!packet || !flow || !has_shortcuts(&packet->tuple)) return 0;
  if (packet->tags || packet->is_icmp_error || packet->fragment || packet->mirror_to || flow->flags & FLOW_COOKIE) return 0;
  if (flow->to.protocol && !(is_ipv4(&flow->to.source) && is_ipv4(&flow->to.destination))) return 0;
  struct service *service = bpf_map_lookup_elem(&service_list, &flow->service);
  if (!service) return 0;
  __u32 timeout = 0;
  if (state == STATE_ESTABLISHED) timeout = service->timeout_seconds[STATE_ESTABLISHED];
  if (state == STATE_DATAGRAM) timeout = service->timeout_seconds[STATE_DATAGRAM];
  __u32 moments = timeout / RENEWALS;
  if (moments == 0) return 0;
  if (moments > RENEWAL_MOST) moments = RENEWAL_MOST;
  __u64 addresses = address_word(packet->tuple.source.word[3], packet->tuple.destination.word[3]);
  __u64 word = FLOW_WORD(port_word(&packet->tuple), packet->tuple.protocol);
  if (timeout >= BRIEF_TIMEOUT_LEAST && timeout <= BRIEF_TIMEOUT_MOST && is_brief(packet, flow)) {
    return learn_brief(addresses, word, packet->generation, flow->server & 0xfff, BRIEF_MOMENT(packet->now), brief_moments(moments));
  }
  __u16 moment = MOMENT(packet->now);
  struct shortcut *place = choose_place(addresses, word, moment, packet->generation);
  if (!place) return 0;
  struct shortcut learned = {
    .flow = word | (__u64)(flow->server & 0xffff) << 48,
    .to = (__u64)(__u16)(moment + moments) << 16 | (packet->generation & 0xffff)};
  if (flow->flags & FLOW_REPLY) learned.flow |= SHORTCUT_REPLY;
  if (flow->to.protocol) {
    learned.to_addresses = address_word(flow->to.source.word[3], flow->to.destination.word[3]);
    learned.to |= (__u64)port_word(&flow->to) << 32;
  }
  learned.addresses = addresses ^ learned.flow ^ learned.to_addresses ^ learned.to;
  *(volatile struct shortcut *)place = learned;
  return 1;
}

#endif
