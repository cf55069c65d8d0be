{
  "targets": [
    {
      "target_name": "evener",
      "sources": [
        "native/addon.c",
        "native/bpf.c",
        "native/memory.c",
        "native/netlink.c",
        "native/probe.c",
        "native/ring.c",
        "native/socket.c"
      ],
      "defines": ["_GNU_SOURCE"],
      "cflags": ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden"]
    }
  ]
}
