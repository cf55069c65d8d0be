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
        "native/socket.c",
        "native/splice.c",
        "native/tls.c",
        "native/tls-bio.c",
        "native/tls-callbacks.c",
        "native/tls-certificate.c",
        "native/tls-context.c",
        "native/tls-seat.c",
        "native/tls-session.c",
        "native/tls-stream.c"
      ],
      "defines": ["_GNU_SOURCE"],
      "cflags": ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden"]
    }
  ]
}
