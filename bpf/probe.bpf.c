/*
 * Sends the checks of the control thread the way that packets go: a check connects to the service's own address, from a port that says
 * which server is meant, and this puts it into the tunnel, or on its way to the MAC address, of that server. The answer comes back
 * directly. Put on the interface that the routing table names for the service's address (TCX egress).
 */
#include "include/packet.h"

#define TC_NEXT -1
#define TC_DROP 2
#define ROOM_BEHIND_MAC 1
enum { ROOM_FIXED_GSO = 1, ROOM_OUTER_IPV4 = 2, ROOM_OUTER_IPV6 = 4, ROOM_OUTER_UDP = 16 };

static long (*bpf_skb_store_bytes)(struct __sk_buff *skb, __u32 offset, const void *from, __u32 length, __u64 flags) = (void *)9;
static long (*bpf_skb_load_bytes)(const struct __sk_buff *skb, __u32 offset, void *to, __u32 length) = (void *)26;
static long (*bpf_skb_adjust_room)(struct __sk_buff *skb, __s32 length, __u32 mode, __u64 flags) = (void *)50;
static long (*bpf_redirect_neigh)(__u32 ifindex, struct bpf_redir_neigh *hop, int length, __u64 flags) = (void *)152;

/* One check's server, by the port that it comes from. */
struct probe {
  /* TUN: where the tunnel ends. DR: the next hop. */
  struct address to;
  /* Of the outer packet. */
  struct address from;
  __u32 ifindex;
  __be16 gue_port;
  __u8 forward;
  __u8 encapsulation;
};

MAP(probes, BPF_MAP_TYPE_HASH, __u32, struct probe, 4096);

INLINE long hand_on(const struct probe *probe) {
  if (probe->forward != FORWARD_DR) return bpf_redirect_neigh(probe->ifindex, 0, 0, 0);
  struct bpf_redir_neigh hop = {.nh_family = is_ipv4(&probe->to) ? 2 : 10};
  if (is_ipv4(&probe->to)) hop.ipv4_nh = probe->to.word[3];
  else __builtin_memcpy(hop.ipv6_nh, &probe->to, 16);
  return bpf_redirect_neigh(probe->ifindex, &hop, sizeof hop, 0);
}

INLINE int write_udp(struct __sk_buff *skb, __u32 offset, const struct probe *probe, __u32 inner) {
  struct udphdr udp = {.source = swap16(0xc000), .dest = probe->gue_port, .len = swap16(inner + sizeof udp)};
  return bpf_skb_store_bytes(skb, offset, &udp, sizeof udp, 0);
}

INLINE int wrap4(struct __sk_buff *skb, const struct probe *probe, __u32 inner, __u8 protocol) {
  int gue = probe->encapsulation == ENCAPSULATION_GUE;
  __u32 length = sizeof(struct iphdr) + gue * sizeof(struct udphdr);
  __u64 flags = ROOM_FIXED_GSO | ROOM_OUTER_IPV4 | (gue ? ROOM_OUTER_UDP : 0);
  if (bpf_skb_adjust_room(skb, length, ROOM_BEHIND_MAC, flags)) return -1;
  struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .tot_len = swap16(inner + length), .protocol = gue ? IPPROTO_UDP : protocol};
  ip.saddr = probe->from.word[3];
  ip.daddr = probe->to.word[3];
  ip.check = ~fold(bpf_csum_diff(0, 0, (void *)&ip, sizeof ip, 0));
  __be16 type = swap16(ETH_P_IP);
  if (bpf_skb_store_bytes(skb, 12, &type, 2, 0) || bpf_skb_store_bytes(skb, 14, &ip, sizeof ip, 0)) return -1;
  return gue ? write_udp(skb, 14 + sizeof ip, probe, inner) : 0;
}

INLINE int wrap6(struct __sk_buff *skb, const struct probe *probe, __u32 inner, __u8 protocol) {
  int gue = probe->encapsulation == ENCAPSULATION_GUE;
  __u32 length = sizeof(struct ipv6hdr) + gue * sizeof(struct udphdr);
  __u64 flags = ROOM_FIXED_GSO | ROOM_OUTER_IPV6 | (gue ? ROOM_OUTER_UDP : 0);
  if (bpf_skb_adjust_room(skb, length, ROOM_BEHIND_MAC, flags)) return -1;
  struct ipv6hdr ip = {.version = 6, .hop_limit = 64, .nexthdr = gue ? IPPROTO_UDP : protocol};
  ip.payload_len = swap16(inner + gue * sizeof(struct udphdr));
  __builtin_memcpy(&ip.saddr, &probe->from, 16);
  __builtin_memcpy(&ip.daddr, &probe->to, 16);
  __be16 type = swap16(ETH_P_IPV6);
  if (bpf_skb_store_bytes(skb, 12, &type, 2, 0) || bpf_skb_store_bytes(skb, 14, &ip, sizeof ip, 0)) return -1;
  return gue ? write_udp(skb, 14 + sizeof ip, probe, inner) : 0;
}

/* The TCP source port; 0 for anything else. */
INLINE __u32 source_port(struct __sk_buff *skb) {
  int v6 = skb->protocol == swap16(ETH_P_IPV6);
  if (!v6 && skb->protocol != swap16(ETH_P_IP)) return 0;
  __u8 protocol = 0;
  __be16 port = 0;
  if (bpf_skb_load_bytes(skb, v6 ? 20 : 23, &protocol, 1) || protocol != IPPROTO_TCP) return 0;
  // What this machine sends has no options, and checks are no fragments.
  if (bpf_skb_load_bytes(skb, v6 ? 54 : 34, &port, 2)) return 0;
  return swap16(port);
}

SEC("tc")
int steer(struct __sk_buff *skb) {
  __u32 port = source_port(skb);
  struct probe *probe = port ? bpf_map_lookup_elem(&probes, &port) : 0;
  if (!probe) return TC_NEXT;
  if (probe->forward == FORWARD_TUN) {
    __u32 inner = skb->len - 14;
    __u8 protocol = skb->protocol == swap16(ETH_P_IPV6) ? IPPROTO_IPV6 : IPPROTO_IPIP;
    if (is_ipv4(&probe->to) ? wrap4(skb, probe, inner, protocol) : wrap6(skb, probe, inner, protocol)) return TC_DROP;
  }
  return hand_on(probe);
}

const volatile struct vocabulary vocabulary SEC(".rodata") = {};
char program_license[] SEC("license") = "GPL";
