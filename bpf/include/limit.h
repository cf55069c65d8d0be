/* Who may open a new flow: access lists and a rate for each client. Flows that exist are asked again when an access list changes. */
#ifndef EVENER_LIMIT_H
#define EVENER_LIMIT_H

#include "maps.h"

INLINE int is_denied(const struct address *client, __u32 service_index, const struct service *service) {
  if (!(service->flags & SERVICE_HAS_ACCESS_LIST)) return 0;
  struct access_key key = {.prefix = 32 + 128, .service = service_index, .address = *client};
  __u32 *access = bpf_map_lookup_elem(&access_list, &key);
  if (access) return *access == ACCESS_DENY;
  return (service->flags & SERVICE_DENY_OTHERS) != 0;
}

/* A token bucket for each client address (IPv6: each /64, which one host can fill with addresses). */
INLINE int is_over_rate(const struct packet *packet, __u32 service_index, const struct service *service) {
  if (!(service->flags & SERVICE_HAS_RATE)) return 0;
  struct source_key key = {.address = packet->tuple.source, .service = service_index};
  if (packet->is_ipv6) key.address.word[2] = key.address.word[3] = 0;
  __u64 most = (__u64)service->rate_burst * 1000;
  struct bucket *bucket = bpf_map_lookup_elem(&sources, &key);
  if (!bucket) {
    struct bucket fresh = {.updated = packet->now, .milli_tokens = most - 1000};
    bpf_map_update_elem(&sources, &key, &fresh, BPF_ANY);
    return 0;
  }
  __u64 milliseconds = (packet->now - bucket->updated) / 1000000;
  __u64 tokens = bucket->milli_tokens + milliseconds * service->rate_per_second;
  if (tokens > most) tokens = most;
  bucket->updated += milliseconds * 1000000;
  bucket->milli_tokens = tokens >= 1000 ? tokens - 1000 : tokens;
  return tokens < 1000;
}

#endif
