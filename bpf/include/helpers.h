/* The kernel's functions that the programs call, by their numbers in include/uapi/linux/bpf.h, and macros for sections and maps. */
#ifndef EVENER_HELPERS_H
#define EVENER_HELPERS_H

#include <linux/bpf.h>
#include <linux/types.h>

#define SEC(name) __attribute__((section(name), used))
#define INLINE static __attribute__((always_inline)) inline
#define NOINLINE static __attribute__((noinline))
/*
 * A stage that the verifier looks at once, on its own, whatever calls it: without that the ways through all stages multiply beyond
 * what it is willing to follow. It takes numbers and pointers to whole structs, which it must check for NULL, and returns a number.
 */
#define STAGE __attribute__((noinline))
#define __uint(name, value) int(*name)[value]
#define __type(name, type) typeof(type) *name
#define __array(name, type) typeof(type) *name[]
#define MAP(map, map_type, key_type, value_type, entries) \
  struct {                                                \
    __uint(type, map_type);                               \
    __type(key, key_type);                                \
    __type(value, value_type);                            \
    __uint(max_entries, entries);                         \
  } map SEC(".maps")
/* Keeps the compiler from computing a checked value a second time, unchecked. */
#define KEEP(variable) asm volatile("" : "+r"(variable))
#define MEMORY_BARRIER() asm volatile("" ::: "memory")

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static long (*bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static __u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static __u32 (*bpf_get_prandom_u32)(void) = (void *)7;
static long (*bpf_redirect)(__u32 ifindex, __u64 flags) = (void *)23;
static __s64 (*bpf_csum_diff)(__be32 *from, __u32 from_size, __be32 *to, __u32 to_size, __u32 seed) = (void *)28;
static long (*bpf_xdp_adjust_head)(struct xdp_md *context, int delta) = (void *)44;
static long (*bpf_redirect_map)(void *map, __u64 key, __u64 flags) = (void *)51;
static long (*bpf_xdp_adjust_tail)(struct xdp_md *context, int delta) = (void *)65;
static long (*bpf_fib_lookup)(void *context, struct bpf_fib_lookup *params, int size, __u32 flags) = (void *)69;
static __u64 (*bpf_jiffies64)(void) = (void *)118;
static long (*bpf_for_each_map_elem)(void *map, void *callback, void *context, __u64 flags) = (void *)164;
static long (*bpf_loop)(__u32 count, void *callback, void *context, __u64 flags) = (void *)181;
static long (*bpf_xdp_load_bytes)(struct xdp_md *context, __u32 offset, void *buffer, __u32 length) = (void *)189;
static long (*bpf_xdp_store_bytes)(struct xdp_md *context, __u32 offset, void *buffer, __u32 length) = (void *)190;
static __s64 (*bpf_tcp_raw_gen_syncookie_ipv4)(void *ip, void *tcp, __u32 tcp_length) = (void *)204;
static __s64 (*bpf_tcp_raw_gen_syncookie_ipv6)(void *ip, void *tcp, __u32 tcp_length) = (void *)205;
static long (*bpf_tcp_raw_check_syncookie_ipv4)(void *ip, void *tcp) = (void *)206;
static long (*bpf_tcp_raw_check_syncookie_ipv6)(void *ip, void *tcp) = (void *)207;

#define swap16(value) __builtin_bswap16(value)
#define swap32(value) __builtin_bswap32(value)

#endif
