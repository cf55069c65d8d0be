/* Run once by the loader, before the other objects: how long is a tick of this kernel? */
#include "include/state.h"

SEC("syscall")
int read_clock(struct clock *clock) {
  clock->ticks = bpf_jiffies64();
  clock->nanoseconds = bpf_ktime_get_ns();
  return 0;
}

const volatile struct clock layout SEC(".rodata") = {};
char program_license[] SEC("license") = "GPL";
