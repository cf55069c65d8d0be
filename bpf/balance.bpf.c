/*
 * The packet plane's program: parse → flow → (open) → forward. What is not for a service of ours goes to the stack untouched.
 * docs/life-of-a-packet.md tells the whole way.
 */
#include "include/parse.h"
#include "include/express.h"
#include "include/open.h"

/* Remembers the ports of a first fragment for the later ones, or finds them. Addresses and identification name a datagram. */
STAGE int join_fragments(struct packet *packet) {
  if (!packet) return XDP_PASS;
  struct fragment_key key = {
    .source = packet->tuple.source,
    .destination = packet->tuple.destination,
    .identification = packet->identification,
    .protocol = packet->tuple.protocol};
  if (packet->fragment == FRAGMENT_FIRST) {
    struct ports ports = {packet->tuple.source_port, packet->tuple.destination_port};
    bpf_map_update_elem(&fragments, &key, &ports, BPF_ANY);
    return GO_ON;
  }
  struct ports *known = bpf_map_lookup_elem(&fragments, &key);
  if (!known) {
    count(VERDICT_FRAGMENT_LOST);
    return XDP_PASS;
  }
  packet->tuple.source_port = known->source;
  packet->tuple.destination_port = known->destination;
  return GO_ON;
}

/* The server of this flow is down or gone: another one, at once (GO_ON), or a reset, as the service says. */
STAGE int leave_server(struct xdp_md *context, struct packet *packet, struct flow *flow) {
  if (!packet || !flow) return XDP_DROP;
  __u32 service_index = flow->service;
  struct service *service = bpf_map_lookup_elem(&service_list, &service_index);
  count(VERDICT_SERVER_GONE);
  forget_flow(&packet->tuple, flow);
  if (packet->is_icmp_error || !service) return XDP_DROP;
  if (service->flags & SERVICE_RESET_ON_DOWN && packet->tuple.protocol == IPPROTO_TCP) return send_reset(context, packet);
  return GO_ON;
}

/* A client's packet of a flow among the young: its second one shows that the client is there. 1 if it has moved. */
STAGE int grow(struct packet *packet, struct flow *flow) {
  if (!packet || !flow || packet->is_icmp_error || flow->flags & FLOW_COOKIE_WAITING) return 0;
  if (packet->tuple.protocol != IPPROTO_TCP) return confirm_flow(&packet->tuple, flow, STATE_DATAGRAM);
  if ((packet->tcp_flags & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK && (!is_translated(flow) || flow->flags & FLOW_ANSWERED)) {
    return confirm_flow(&packet->tuple, flow, STATE_ESTABLISHED);
  }
  return 0;
}

/* The client's entry of a flow whose reply came, wherever it is. */
INLINE struct flow *client_entry(const struct flow *reply) {
  struct tuple key;
  reverse(&key, &reply->to);
  struct flow *flow = bpf_map_lookup_elem(&flows, &key);
  return flow ? flow : bpf_map_lookup_elem(&young, &key);
}

STAGE int take_reply(struct xdp_md *context, struct packet *packet, struct flow *reply) {
  if (!packet || !reply) return XDP_DROP;
  int is_tcp = packet->tuple.protocol == IPPROTO_TCP;
  if (!packet->is_icmp_error && (packet->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST) || !(reply->flags & FLOW_ANSWERED))) {
    struct flow *flow = client_entry(reply);
    if (flow && reply->flags & FLOW_COOKIE_WAITING && flow->flags & FLOW_COOKIE_WAITING) {
      if ((packet->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK)) return end_handshake(context, packet, flow, reply);
      if (!(packet->tcp_flags & TCP_RST)) return XDP_DROP;
    }
    if (flow) {
      flow->flags |= FLOW_ANSWERED;
      if (is_tcp) follow_tcp(flow, packet->tcp_flags, FLOW_FIN_SERVER);
    }
    reply->flags |= FLOW_ANSWERED;
    if (packet->tcp_flags & (TCP_FIN | TCP_RST)) drop_shortcuts(&packet->tuple, reply);
  } else if (has_shortcuts(&packet->tuple)) {
    struct flow *flow = client_entry(reply);
    if (flow) learn_shortcut(packet, reply, flow->state);
  }
  if (reply->flags & FLOW_COOKIE && !packet->is_icmp_error && packet->fragment != FRAGMENT_LATER && shift_sequence(context, packet, reply)) {
    return XDP_DROP;
  }
  return forward_to_client(context, packet, reply);
}

/* Of a flow with a cookie: the SYN again while the server has not answered, then shifted numbers. */
STAGE int follow_cookie(struct xdp_md *context, struct packet *packet, struct flow *flow) {
  if (!packet || !flow) return -1;
  if (packet->is_icmp_error || packet->fragment == FRAGMENT_LATER) return 0;
  return flow->flags & FLOW_COOKIE_WAITING ? begin_with_server(context, packet, flow) : shift_sequence(context, packet, flow);
}

/* A new flow, and its first packet on its way. */
INLINE int take_first(struct xdp_md *context, struct packet *packet, __u32 service_index) {
  int verdict = open_flow(context, packet, service_index);
  if (verdict != GO_ON && verdict != ONE_PACKET) return verdict;
  struct scratch *room = scratch_room();
  struct flow *flow = verdict == GO_ON ? bpf_map_lookup_elem(&young, &packet->tuple) : room ? &room->flow : 0;
  return flow ? forward_to_server(context, packet, flow) : XDP_DROP;
}

/* A client that an access list shuts out after its flow was opened. */
STAGE int is_shut_out(struct packet *packet, struct flow *flow, struct service *service) {
  if (!packet || !flow || !service) return 1;
  flow->access_generation = service->access_generation;
  if (!is_denied(&packet->tuple.source, flow->service, service)) return 0;
  forget_flow(&packet->tuple, flow);
  count(VERDICT_DENIED);
  return 1;
}

INLINE int take_known(struct xdp_md *context, struct packet *packet, struct flow *flow) {
  if (packet->ttl <= 1) return send_expired(context, packet);
  if (flow->seen != packet->now) flow->seen = packet->now;
  if (flow->flags & FLOW_REPLY) return take_reply(context, packet, flow);
  __u32 service_index = flow->service;
  struct server *server = bpf_map_lookup_elem(&servers, &flow->server);
  struct service *service = bpf_map_lookup_elem(&service_list, &service_index);
  if (!server || !service) return XDP_DROP;
  note_mirror(packet, service);
  if (server->flags & (SERVER_DOWN | SERVER_REMOVED)) {
    int verdict = leave_server(context, packet, flow);
    return verdict == GO_ON ? take_first(context, packet, service_index) : verdict;
  }
  if (flow->access_generation != service->access_generation && is_shut_out(packet, flow, service)) return XDP_DROP;
  if (flow->state == STATE_NEW && grow(packet, flow)) {
    flow = bpf_map_lookup_elem(&flows, &packet->tuple);
    if (!flow) return XDP_DROP;
  }
  if (packet->tcp_flags & (TCP_FIN | TCP_RST) && !packet->is_icmp_error) {
    follow_tcp(flow, packet->tcp_flags, FLOW_FIN_CLIENT);
    drop_shortcuts(&packet->tuple, flow);
  }
  if (flow->flags & FLOW_COOKIE && follow_cookie(context, packet, flow)) return XDP_DROP;
  learn_shortcut(packet, flow, flow->state);
  return forward_to_server(context, packet, flow);
}

/* A reply of a one-packet service: nothing is remembered of its request, but the server's address says which service it is of. */
STAGE int take_origin(struct xdp_md *context, struct packet *packet) {
  __u32 zero = 0;
  struct settings *known_settings = bpf_map_lookup_elem(&settings, &zero);
  if (!packet || !known_settings || !known_settings->has_origins || packet->is_icmp_error || packet->ttl <= 1) return XDP_PASS;
  struct origin_key key = {.address = packet->tuple.source, .port = packet->tuple.source_port, .protocol = packet->tuple.protocol};
  struct origin *origin = bpf_map_lookup_elem(&origins, &key);
  struct scratch *room = scratch_room();
  if (!origin || !room) return XDP_PASS;
  __builtin_memset(&room->flow, 0, sizeof room->flow);
  room->flow.flags = FLOW_REPLY;
  room->flow.to = packet->tuple;
  room->flow.to.source = origin->address;
  room->flow.to.source_port = origin->port;
  return forward_to_client(context, packet, &room->flow);
}

/*
 * An ICMP error about a flow that another balancer has: routers spread errors by their own address. Without rewriting it goes where the
 * hash says, as the flow's packets do.
 */
STAGE int take_strange_error(struct xdp_md *context, struct packet *packet) {
  struct scratch *room = scratch_room();
  if (!packet || !room || packet->ttl <= 1) return XDP_PASS;
  __u32 found = find_service(packet);
  __u32 service_index = found - 1;
  struct service *service = found ? bpf_map_lookup_elem(&service_list, &service_index) : 0;
  __u32 picked = service ? pick_stateless(packet, service_index, service) : 0;
  __u32 server_index = picked - 1;
  struct server *server = picked ? bpf_map_lookup_elem(&servers, &server_index) : 0;
  if (!server || server->forward == FORWARD_NAT || server->forward == FORWARD_FULLNAT) return XDP_PASS;
  __builtin_memset(&room->flow, 0, sizeof room->flow);
  room->flow.server = server_index;
  count(VERDICT_STRAY);
  return forward_to_server(context, packet, &room->flow);
}

INLINE int take_unknown(struct xdp_md *context, struct packet *packet) {
  if (packet->is_icmp_error) return take_strange_error(context, packet);
  __u32 found = find_service(packet);
  if (!found) return take_origin(context, packet);
  if (packet->ttl <= 1) return send_expired(context, packet);
  return take_first(context, packet, found - 1);
}

/* A new connection on the port of one that is ending: nothing is left of the old one. */
STAGE int forget_reused(struct packet *packet, struct flow *flow) {
  if (!packet || !flow || !is_reused(packet, flow)) return 0;
  struct tuple key;
  client_key(&key, &packet->tuple, flow);
  forget_flow(&key, flow);
  return 1;
}

INLINE int is_marked(const struct address *address) {
  __u32 mark = (address->word[0] ^ address->word[1] ^ address->word[2] ^ address->word[3]) * MARK_FACTOR >> 16;
  __u32 word = mark >> 6;
  __u64 *marks = bpf_map_lookup_elem(&own_addresses, &word);
  return marks && (*marks >> (mark & 63) & 1);
}

/* Every packet of a flow comes from a server or goes to a service: what does neither is passed before any table is searched. */
INLINE int may_be_ours(const struct packet *packet) {
  return is_marked(&packet->tuple.destination) || is_marked(&packet->tuple.source);
}

/* Whatever is not of the plainest kind, and the first packets of every flow. */
STAGE int take_generally(struct xdp_md *context) {
  struct scratch *room = scratch_room();
  if (!room) return XDP_PASS;
  struct packet *packet = &room->packet;
  __builtin_memset(packet, 0, sizeof *packet);
  int verdict = parse(context, packet);
  if (verdict != GO_ON) return verdict;
  if (!may_be_ours(packet)) return XDP_PASS;
  if (packet->fragment && join_fragments(packet) != GO_ON) return XDP_PASS;
  packet->now = coarse_now();
  packet->generation = table_generation();
  struct flow *flow = bpf_map_lookup_elem(&flows, &packet->tuple);
  if (!flow) flow = bpf_map_lookup_elem(&young, &packet->tuple);
  if (flow && packet->tcp_flags & TCP_SYN && forget_reused(packet, flow)) flow = 0;
  return flow ? take_known(context, packet, flow) : take_unknown(context, packet);
}

SEC("xdp")
int balance(struct xdp_md *context) {
  int verdict = take_express(context);
  return verdict == GO_ON ? take_generally(context) : verdict;
}

INLINE int is_over(const struct flow *flow, const struct service *service, const struct server *server, __u64 seen, __u64 now) {
  if (server->flags & SERVER_REMOVED) return 1;
  __u32 state = flow->state;
  if (state >= STATE_COUNT) return 0;
  __u64 timeout = service->timeout_seconds[state] * NANOSECONDS;
  // While it has a shortcut its time is told only now and then: never forgotten early, at most an eighth late.
  if (state == STATE_ESTABLISHED || state == STATE_DATAGRAM) timeout += timeout / SHORTCUT_SLACK;
  return now >= seen && now - seen >= timeout;
}

/* The reply's entry of a flow that rewrites goes with its client's, or when it has none any more. 1 if it went. */
INLINE int forget_lone_reply(struct tuple *key, const struct flow *flow, const struct service *service, __u64 now) {
  if (client_entry(flow) || now - flow->seen < service->timeout_seconds[STATE_CLOSED] * NANOSECONDS) return 0;
  return !bpf_map_delete_elem(&flows, key) || !bpf_map_delete_elem(&young, key);
}

/*
 * Run by the control thread for each flow that seems to be over: here is the last word, with what both entries of it say. Also tells
 * the time by which flows are seen.
 */
SEC("syscall")
int forget_expired(struct expiry *expiry) {
  expiry->now = coarse_now();
  expiry->removed = 0;
  struct tuple key = expiry->key;
  struct flow *flow = bpf_map_lookup_elem(&flows, &key);
  if (!flow) flow = bpf_map_lookup_elem(&young, &key);
  if (!flow) return 0;
  struct service *service = bpf_map_lookup_elem(&service_list, &flow->service);
  struct server *server = bpf_map_lookup_elem(&servers, &flow->server);
  if (!service || !server) return 0;
  if (flow->flags & FLOW_REPLY) {
    expiry->removed = forget_lone_reply(&key, flow, service, expiry->now);
    return 0;
  }
  __u64 seen = flow->seen;
  if (is_translated(flow)) {
    struct tuple other;
    reverse(&other, &flow->to);
    struct flow *reply = bpf_map_lookup_elem(&flows, &other);
    if (!reply) reply = bpf_map_lookup_elem(&young, &other);
    if (reply && reply->seen > seen) seen = reply->seen;
  }
  if (!is_over(flow, service, server, seen, expiry->now)) return 0;
  forget_flow(&key, flow);
  expiry->removed = 1;
  return 0;
}

/* The LRU forgets young flows without telling; what is there was counted by the control thread. */
static long publish_recount(__u32 index, void *unused) {
  struct load *recount = bpf_map_lookup_elem(&recounts, &index);
  struct load *load = bpf_map_lookup_elem(&loads, &index);
  if (!recount || !load) return 1;
  load->young = recount->young;
  return 0;
}

SEC("syscall")
int publish_recounts(void *unused) {
  bpf_loop(4096, publish_recount, 0, 0);
  return 0;
}

const volatile struct vocabulary vocabulary SEC(".rodata") = {};
char program_license[] SEC("license") = "GPL";
