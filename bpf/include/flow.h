/*
 * The life of a flow.
 *
 *              first packet                client's second packet (TCP: ACK; NAT: after the answer)
 *     nothing ──────────────▶ young (LRU) ─────────────────────────────▶ flows (never evicted)
 *                                 │ full: the least recently used         │ full: stays in young
 *                                 ▼ gives way                             ▼ aged by state
 *                              forgotten                               forgotten
 *
 * So a flood of first packets can only push out other first packets. A flow that rewrites (NAT) has two entries, each keyed by the
 * packets it matches; `to` is what their tuple becomes, hence the other entry's key is the reverse of `to`. State and counts are
 * kept in the client's entry.
 */
#ifndef EVENER_FLOW_H
#define EVENER_FLOW_H

#include "maps.h"
#include "shortcut.h"

INLINE void add(__u32 *counter, __s32 amount) {
  __sync_fetch_and_add(counter, amount);
}

INLINE int is_translated(const struct flow *flow) {
  return flow->to.protocol != 0;
}

INLINE __u32 *counter_of(struct load *load, __u32 state) {
  return state == STATE_ESTABLISHED ? &load->active : state == STATE_NEW ? &load->young : &load->inactive;
}

/* Moves a flow to another state, and its server's counts with it; of several CPUs that try at once, one does. */
INLINE void enter_state(struct flow *flow, __u32 state) {
  __u32 before = flow->state;
  if (before == state || __sync_val_compare_and_swap(&flow->state, before, state) != before) return;
  struct load *load = bpf_map_lookup_elem(&loads, &flow->server);
  if (!load) return;
  add(counter_of(load, before), -1);
  add(counter_of(load, state), 1);
}

INLINE void leave_state(const struct flow *flow) {
  struct load *load = bpf_map_lookup_elem(&loads, &flow->server);
  if (load) add(counter_of(load, flow->state), -1);
}

/* The two entries of a flow, found from either: the key of the client's entry, given any. */
INLINE void client_key(struct tuple *out, const struct tuple *key, const struct flow *flow) {
  if (flow->flags & FLOW_REPLY) reverse(out, &flow->to);
  else *out = *key;
}

/* Takes a flow out of both tables, with its other entry. `key` is the client's. */
STAGE int forget_flow(struct tuple *key, struct flow *flow) {
  if (!key || !flow) return 0;
  struct tuple other;
  int translated = is_translated(flow);
  if (translated) reverse(&other, &flow->to);
  drop_shortcut(key);
  if (translated) drop_shortcut(&other);
  struct flow copy = *flow;
  long removed = bpf_map_delete_elem(&flows, key);
  if (removed) removed = bpf_map_delete_elem(&young, key);
  if (!removed) leave_state(&copy);
  if (translated && bpf_map_delete_elem(&flows, &other)) bpf_map_delete_elem(&young, &other);
  return 0;
}

/* Moves a flow that has shown to be real from the young to the lasting ones. If there is no room it stays and may be pushed out. 1 if moved. */
STAGE int confirm_flow(struct tuple *key, struct flow *flow, __u32 state) {
  struct scratch *room = scratch_room();
  if (!room || !key || !flow || state >= STATE_COUNT) return 0;
  room->flow = *flow;
  room->flow.state = state;
  if (is_translated(flow)) {
    reverse(&room->reply_key, &room->flow.to);
    struct flow *reply = bpf_map_lookup_elem(&young, &room->reply_key);
    if (!reply) return 0;
    room->reply = *reply;
    if (bpf_map_update_elem(&flows, &room->reply_key, &room->reply, BPF_NOEXIST)) {
      count(VERDICT_TABLE_FULL);
      return 0;
    }
  }
  if (bpf_map_update_elem(&flows, key, &room->flow, BPF_NOEXIST)) {
    if (is_translated(&room->flow)) bpf_map_delete_elem(&flows, &room->reply_key);
    count(VERDICT_TABLE_FULL);
    return 0;
  }
  struct load *load = bpf_map_lookup_elem(&loads, &room->flow.server);
  if (load) {
    add(&load->young, -1);
    add(counter_of(load, state), 1);
  }
  bpf_map_delete_elem(&young, key);
  if (is_translated(&room->flow)) bpf_map_delete_elem(&young, &room->reply_key);
  return 1;
}

/* What a client's or a server's TCP flags say about an established flow. Direct routing and tunnels see the client's only. */
INLINE void follow_tcp(struct flow *flow, __u8 tcp_flags, __u32 fin) {
  if (tcp_flags & TCP_RST) {
    enter_state(flow, STATE_CLOSED);
  } else if (tcp_flags & TCP_FIN) {
    flow->flags |= fin;
    __u32 both = FLOW_FIN_CLIENT | FLOW_FIN_SERVER;
    enter_state(flow, (flow->flags & both) == both ? STATE_TIME_WAIT : STATE_FIN_WAIT);
  }
}

/* A SYN on a flow that is ending: the client uses its port again. */
INLINE int is_reused(const struct packet *packet, const struct flow *flow) {
  if (packet->tuple.protocol != IPPROTO_TCP || (packet->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN) return 0;
  return flow->state == STATE_FIN_WAIT || flow->state == STATE_TIME_WAIT || flow->state == STATE_CLOSED;
}

#endif
