/* Every table of the packet plane. Sizes marked "configured" are set by the loader. */
#ifndef EVENER_MAPS_H
#define EVENER_MAPS_H

#include "packet.h"

/* Written by the control thread. */
MAP(settings, BPF_MAP_TYPE_ARRAY, __u32, struct settings, 1);
/* A bit for each address of a service or server, by 16 bits of a hash: MARK_FACTOR is in the TypeScript that sets them too. */
#define MARK_FACTOR 0x9e3779b1U
MAP(own_addresses, BPF_MAP_TYPE_ARRAY, __u32, __u64, 1024);
MAP(services, BPF_MAP_TYPE_HASH, struct service_key, __u32, 4096);
MAP(ranges, BPF_MAP_TYPE_HASH, struct range_key, struct ranges, 1024);
MAP(service_list, BPF_MAP_TYPE_ARRAY, __u32, struct service, 256);
MAP(servers, BPF_MAP_TYPE_ARRAY, __u32, struct server, 4096);
MAP(rosters, BPF_MAP_TYPE_ARRAY, __u32, struct roster, 256);
MAP(links, BPF_MAP_TYPE_HASH, __u32, struct link, 256);
MAP(locals, BPF_MAP_TYPE_ARRAY, __u32, struct address, 1024);
MAP(origins, BPF_MAP_TYPE_HASH, struct origin_key, struct origin, 4096);

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __type(key, struct access_key);
  __type(value, __u32);
  __uint(max_entries, 16384);
  __uint(map_flags, BPF_F_NO_PREALLOC);
} access_list SEC(".maps");

struct slots {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __type(key, __u32);
  __type(value, __u32);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_INNER_MAP);
};

/* One table of servers for each service: a sequence to go through, or places to hash to. An entry is a server's number + 1. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(key_size, 4);
  __uint(value_size, 4);
  __uint(max_entries, 256);
  __array(values, struct slots);
} tables SEC(".maps");

struct both_ports {
  __uint(type, BPF_MAP_TYPE_DEVMAP);
  __uint(key_size, 4);
  __uint(value_size, 4);
  __uint(max_entries, 2);
};

/* A packet with a copy goes to all interfaces of the map for these two. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
  __type(key, struct mirror_key);
  __uint(value_size, 4);
  __uint(max_entries, 1024);
  __array(values, struct both_ports);
} mirrors SEC(".maps");

/* Written by the programs. Sizes of the first four are configured. */
MAP(flows, BPF_MAP_TYPE_HASH, struct tuple, struct flow, 262144);
MAP(young, BPF_MAP_TYPE_LRU_HASH, struct tuple, struct flow, 65536);
MAP(persistence, BPF_MAP_TYPE_LRU_HASH, struct persistence_key, struct persistence, 65536);
MAP(localities, BPF_MAP_TYPE_LRU_HASH, struct locality_key, struct locality, 65536);

/* Mapped for user space only because such arrays begin with a page, and thus every line with a line of the cache. Sizes by the loader. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __type(key, __u32);
  __type(value, struct brief_line);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_MMAPABLE);
} briefs SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __type(key, __u32);
  __type(value, struct shortcut_line);
  __uint(max_entries, 1);
  __uint(map_flags, BPF_F_MMAPABLE);
} shortcuts SEC(".maps");

MAP(fragments, BPF_MAP_TYPE_LRU_HASH, struct fragment_key, struct ports, 4096);
MAP(sources, BPF_MAP_TYPE_LRU_HASH, struct source_key, struct bucket, 65536);
MAP(loads, BPF_MAP_TYPE_ARRAY, __u32, struct load, 4096);
MAP(recounts, BPF_MAP_TYPE_ARRAY, __u32, struct load, 4096);
MAP(cursors, BPF_MAP_TYPE_ARRAY, __u32, __u32, 256);
MAP(counters, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u64, VERDICT_COUNT);
MAP(traffic_by_server, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct traffic, 4096);
MAP(server_hops, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct hop, 4096);
MAP(client_hops, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct hop, 1024);
MAP(icmp_budget, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct bucket, 1);
MAP(syn_rates, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct bucket, 256);

/* Room for what does not fit on the stack. */
struct scratch {
  struct packet packet;
  struct flow flow;
  struct flow reply;
  struct tuple reply_key;
  struct locality locality;
  struct search search;
  struct candidate own;
  struct candidate worst;
  struct tuple before;
  struct tuple after;
  __u8 bytes[256];
};
MAP(scratches, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct scratch, 1);

INLINE void count(__u32 verdict) {
  __u64 *counter = bpf_map_lookup_elem(&counters, &verdict);
  if (counter) *counter += 1;
}

INLINE struct scratch *scratch_room(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&scratches, &zero);
}

#endif
