/* A packet that belongs to no flow: is it for a service, may it come in, which server gets it, and what is remembered of it. */
#ifndef EVENER_OPEN_H
#define EVENER_OPEN_H

#include "forward.h"
#include "limit.h"
#include "schedule.h"
#include "syncookie.h"

#define PORT_TRIES 64
#define ONE_PACKET -2

/* The service's number + 1, or 0: the packet is not ours. */
STAGE __u32 find_service(struct packet *packet) {
  if (!packet) return 0;
  struct service_key key = {
    .address = packet->tuple.destination, .port = packet->tuple.destination_port, .protocol = packet->tuple.protocol};
  __u32 *exact = bpf_map_lookup_elem(&services, &key);
  if (exact) return *exact + 1;
  __u32 zero = 0;
  struct settings *known_settings = bpf_map_lookup_elem(&settings, &zero);
  if (!known_settings || !known_settings->has_ranges) return 0;
  struct range_key range_key = {.address = packet->tuple.destination, .protocol = packet->tuple.protocol};
  struct ranges *known = bpf_map_lookup_elem(&ranges, &range_key);
  if (!known) return 0;
  __u16 port = swap16(packet->tuple.destination_port);
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < MAX_RANGES; i++) {
    if (i >= known->count) break;
    if (port >= known->range[i].first && port <= known->range[i].last) return known->range[i].service + 1;
  }
  return 0;
}

INLINE void mask_address(struct address *address, __u32 bits) {
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i++) {
    int kept = (int)bits - i * 32;
    if (kept <= 0) address->word[i] = 0;
    else if (kept < 32) address->word[i] &= swap32(0xffffffffU << ((32 - kept) & 31));
  }
}

INLINE void persistence_key_of(struct persistence_key *key, struct packet *packet, __u32 service_index, struct service *service) {
  key->client = packet->tuple.source;
  key->service = service_index;
  mask_address(&key->client, packet->is_ipv6 ? service->persistence_bits6 : 96 + service->persistence_bits4);
}

/* Persistence: the server that this client (or its network) had, while it takes new flows; a drain or a failure ends it. */
STAGE __u32 find_persistent(struct packet *packet, __u32 service_index, struct service *service) {
  if (!packet || !service) return 0;
  struct persistence_key key;
  persistence_key_of(&key, packet, service_index, service);
  struct persistence *known = bpf_map_lookup_elem(&persistence, &key);
  struct candidate candidate;
  if (!known || known->until <= packet->now || !is_eligible(known->server, &candidate)) return 0;
  known->until = packet->now + service->persistence_seconds * NANOSECONDS;
  return candidate.server;
}

STAGE int persist(struct packet *packet, __u32 service_index, struct service *service, __u32 server_index) {
  if (!packet || !service) return 0;
  struct persistence_key key;
  persistence_key_of(&key, packet, service_index, service);
  struct persistence entry = {.until = packet->now + service->persistence_seconds * NANOSECONDS, .server = server_index};
  return bpf_map_update_elem(&persistence, &key, &entry, BPF_ANY);
}

struct port_search {
  __u32 service;
  __u32 random;
  __u32 found;
};

/* The reply's key is claimed in `young` by inserting it. 1 if no other flow to this server has it. */
INLINE int claim_reply(struct scratch *room) {
  if (bpf_map_lookup_elem(&flows, &room->reply_key)) return 0;
  return !bpf_map_update_elem(&young, &room->reply_key, &room->reply, BPF_NOEXIST);
}

#define FIRST_FREE_PORT 1024
#define FREE_PORTS (65536 - FIRST_FREE_PORT)

/* NAT: a port of the client that it has not with this server yet. */
static long claim_client_port(__u32 attempt, struct port_search *search) {
  struct scratch *room = scratch_room();
  if (!room) return 1;
  room->reply_key.destination_port = swap16(FIRST_FREE_PORT + finish(search->random + attempt) % FREE_PORTS);
  search->found = claim_reply(room);
  return search->found;
}

/* Full NAT: a local address and port that no other flow to this server has. */
static long claim_port(__u32 attempt, struct port_search *search) {
  struct scratch *room = scratch_room();
  struct service *service = bpf_map_lookup_elem(&service_list, &search->service);
  if (!room || !service) return 1;
  __u32 span = (__u32)service->last_port - service->first_port + 1;
  __u32 turn = finish(search->random + attempt);
  __u32 local_index = service->local_first + (turn >> 16) % (service->local_count ? service->local_count : 1);
  struct address *local = bpf_map_lookup_elem(&locals, &local_index);
  if (!local || service->local_count == 0) return 1;
  room->reply_key.destination = *local;
  room->reply_key.destination_port = swap16(service->first_port + (turn & 0xffff) % (span ? span : 1));
  search->found = claim_reply(room);
  return search->found;
}

INLINE int is_same_tuple(const struct tuple *a, const struct tuple *b) {
  return is_same_address(&a->source, &b->source) && is_same_address(&a->destination, &b->destination) && a->source_port == b->source_port &&
         a->destination_port == b->destination_port && a->protocol == b->protocol;
}

/*
 * NAT keeps the client's port, unless the client has it with this server already, by another address or port of ours: then the flow gets
 * another, or the server's answers could not be told apart. SCTP's checksum forbids that. 1 if the reply's key is claimed.
 */
STAGE int claim_nat(struct packet *packet) {
  struct scratch *room = scratch_room();
  if (!packet || !room) return 0;
  if (claim_reply(room)) return 1;
  struct flow *known = bpf_map_lookup_elem(&young, &room->reply_key);
  int is_own = known && is_same_tuple(&known->to, &room->reply.to);
  if (is_own || packet->tuple.protocol == IPPROTO_SCTP) return !bpf_map_update_elem(&young, &room->reply_key, &room->reply, BPF_ANY);
  struct port_search search = {.random = bpf_get_prandom_u32()};
  bpf_loop(PORT_TRIES, claim_client_port, &search, 0);
  return search.found;
}

/* Lays down both entries of a flow that rewrites. */
INLINE int remember_translation(struct packet *packet, struct scratch *room, struct server *server, __u32 service_index) {
  room->reply_key = (struct tuple){
    .source = server->address,
    .destination = packet->tuple.source,
    .source_port = server->port ? server->port : packet->tuple.destination_port,
    .destination_port = packet->tuple.source_port,
    .protocol = packet->tuple.protocol};
  room->reply = room->flow;
  room->reply.flags |= FLOW_REPLY;
  reverse(&room->reply.to, &packet->tuple);
  if (server->forward == FORWARD_FULLNAT) {
    struct port_search search = {.service = service_index, .random = bpf_get_prandom_u32()};
    bpf_loop(PORT_TRIES, claim_port, &search, 0);
    if (!search.found) return VERDICT_PORTS_EXHAUSTED;
  } else if (!claim_nat(packet)) {
    return VERDICT_PORTS_EXHAUSTED;
  }
  reverse(&room->flow.to, &room->reply_key);
  return GO_ON;
}

/* Records a new flow among the young ones. 0 if it cannot be (counted). */
STAGE int remember(struct packet *packet, __u32 service_index, __u32 server_index, __u32 flags) {
  struct scratch *room = scratch_room();
  struct server *server = bpf_map_lookup_elem(&servers, &server_index);
  struct service *service = bpf_map_lookup_elem(&service_list, &service_index);
  if (!packet || !room || !server || !service) return 0;
  __builtin_memset(&room->flow, 0, sizeof room->flow);
  room->flow.seen = packet->now;
  room->flow.server = server_index;
  room->flow.service = service_index;
  room->flow.flags = flags;
  room->flow.access_generation = service->access_generation;
  if (server->forward == FORWARD_NAT || server->forward == FORWARD_FULLNAT) {
    int verdict = remember_translation(packet, room, server, service_index);
    if (verdict != GO_ON) {
      count(verdict);
      return 0;
    }
  }
  if (bpf_map_update_elem(&young, &packet->tuple, &room->flow, BPF_ANY)) {
    count(VERDICT_TABLE_FULL);
    return 0;
  }
  struct load *load = bpf_map_lookup_elem(&loads, &server_index);
  if (load) add(&load->young, 1);
  struct traffic *traffic = bpf_map_lookup_elem(&traffic_by_server, &server_index);
  if (traffic) traffic->flows++;
  return 1;
}

/* A packet in the middle of a flow that we do not know: another balancer's, or one that we have forgotten. */
STAGE int open_stray(struct xdp_md *context, struct packet *packet, __u32 service_index) {
  struct service *service = bpf_map_lookup_elem(&service_list, &service_index);
  if (!packet || !service) return XDP_DROP;
  __u32 picked = pick_stateless(packet, service_index, service);
  __u32 index = picked - 1;
  struct server *server = picked ? bpf_map_lookup_elem(&servers, &index) : 0;
  count(VERDICT_STRAY);
  if (!server || server->forward == FORWARD_NAT || server->forward == FORWARD_FULLNAT) return send_reset(context, packet);
  return remember(packet, service_index, index, 0) ? GO_ON : XDP_DROP;
}

/* The flow of a packet alone, in the scratch room: nothing is remembered of it. With full NAT the answer's entry is, which is aged as a closed flow's: it alone knows the client. */
STAGE int make_flow(struct packet *packet, __u32 service_index, __u32 server_index) {
  struct scratch *room = scratch_room();
  struct server *server = bpf_map_lookup_elem(&servers, &server_index);
  if (!packet || !room || !server) return XDP_DROP;
  __builtin_memset(&room->flow, 0, sizeof room->flow);
  room->flow.server = server_index;
  room->flow.to = packet->tuple;
  room->flow.to.destination = server->address;
  if (server->port) room->flow.to.destination_port = server->port;
  if (server->forward == FORWARD_FULLNAT) {
    room->flow.seen = packet->now;
    room->flow.service = service_index;
    room->flow.state = STATE_CLOSED;
    int verdict = remember_translation(packet, room, server, service_index);
    if (verdict != GO_ON) {
      count(verdict);
      return XDP_DROP;
    }
  }
  return ONE_PACKET;
}

/* GO_ON if the packet now has a flow, among the young; ONE_PACKET if it has one in the scratch room. */
STAGE int open_flow(struct xdp_md *context, struct packet *packet, __u32 service_index) {
  struct service *service = bpf_map_lookup_elem(&service_list, &service_index);
  if (!packet || !service) return XDP_PASS;
  note_mirror(packet, service);
  if (is_denied(&packet->tuple.source, service_index, service)) {
    count(VERDICT_DENIED);
    return XDP_DROP;
  }
  __u32 flags = 0;
  if (packet->tuple.protocol == IPPROTO_TCP && (packet->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN) {
    if (packet->tcp_flags & TCP_RST) return XDP_DROP;
    if (!wants_cookies(packet, service_index, service) || check_cookie(context, packet)) return open_stray(context, packet, service_index);
    flags = FLOW_COOKIE | FLOW_COOKIE_WAITING;
  } else {
    if (is_over_rate(packet, service_index, service)) {
      count(VERDICT_RATE_LIMITED);
      return XDP_DROP;
    }
    if (packet->tuple.protocol == IPPROTO_TCP && note_syn(packet, service_index, service)) return send_cookie(context, packet);
  }
  __u32 picked = service->flags & SERVICE_PERSISTENT ? find_persistent(packet, service_index, service) : 0;
  int is_remembered = picked != 0;
  if (!is_remembered && service->pick == PICK_LOCALITY) picked = pick_local(packet, service_index, 1);
  else if (!is_remembered && service->pick == PICK_LOCALITY_REPLICATED) picked = pick_local(packet, service_index, LOCALITY_MOST);
  else if (!is_remembered) picked = pick_server(packet, service_index, service);
  if (picked == 0) picked = pick_waiting(service_index);
  __u32 server_index = picked - 1;
  if (picked == 0) {
    count(VERDICT_NO_SERVER);
    return send_reset(context, packet);
  }
  if (service->flags & SERVICE_PERSISTENT && !is_remembered) persist(packet, service_index, service, server_index);
  if (service->flags & SERVICE_ONE_PACKET) return make_flow(packet, service_index, server_index);
  if (!remember(packet, service_index, server_index, flags)) return XDP_DROP;
  struct flow *flow = bpf_map_lookup_elem(&young, &packet->tuple);
  if (!flow) return XDP_DROP;
  if (flags && begin_with_server(context, packet, flow)) return XDP_DROP;
  return GO_ON;
}

#endif
