/*
 * relay MODE PORT ORIGIN: passes connections on between 127.0.0.1:PORT and 127.0.0.1:ORIGIN, for bench/relay.ts. What differs is who moves the bytes:
 *
 *   copy     recv into a buffer of this process, send out of it
 *   splice   from the socket into a pipe and from the pipe into the other socket; pages, not bytes
 *   sockmap  a BPF program on the sockets hands each segment to the other socket inside the kernel
 *
 * One thread, epoll, level-triggered; no time-outs, no limits. Nothing to learn proxying from.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { COPY, SPLICE, SOCKMAP, CHUNK = 64 * 1024, MOST = 16384 };

struct side {
  int fd, other, pipe[2];
  size_t waiting; /* bytes of `buffer`, or of the pipe, for the other side */
  size_t at;
  char *buffer;
  int is_used, has_ended, told_end;
};

static struct side sides[MOST];
static int mode, queue, peers_map, sockets_map;

static long bpf(int command, union bpf_attr *attribute) {
  return syscall(SYS_bpf, command, attribute, sizeof *attribute);
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

#define INSN(c, d, s, o, i) ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})

/* The verdict: look up which socket is the other one by this one's cookie, and redirect there. */
static void load_sockmap(void) {
  union bpf_attr map = {.map_type = BPF_MAP_TYPE_HASH, .key_size = 8, .value_size = 4, .max_entries = MOST};
  if ((peers_map = (int)bpf(BPF_MAP_CREATE, &map)) < 0) fail("BPF_MAP_CREATE hash");
  union bpf_attr sockets = {.map_type = BPF_MAP_TYPE_SOCKMAP, .key_size = 4, .value_size = 4, .max_entries = MOST};
  if ((sockets_map = (int)bpf(BPF_MAP_CREATE, &sockets)) < 0) fail("BPF_MAP_CREATE sockmap");
  const struct bpf_insn program[] = {
      INSN(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0),
      INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_socket_cookie),
      INSN(BPF_STX | BPF_MEM | BPF_DW, 10, 0, -8, 0),
      INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, peers_map),
      INSN(0, 0, 0, 0, 0),
      INSN(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
      INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -8),
      INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
      INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 7, 0),
      INSN(BPF_LDX | BPF_MEM | BPF_W, 3, 0, 0, 0),
      INSN(BPF_ALU64 | BPF_MOV | BPF_X, 1, 6, 0, 0),
      INSN(BPF_LD | BPF_DW | BPF_IMM, 2, BPF_PSEUDO_MAP_FD, 0, sockets_map),
      INSN(0, 0, 0, 0, 0),
      INSN(BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, 0),
      INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_sk_redirect_map),
      INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
      INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, SK_PASS),
      INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
  };
  static char log[65536];
  union bpf_attr load = {
      .prog_type = BPF_PROG_TYPE_SK_SKB,
      .insns = (uintptr_t)program,
      .insn_cnt = sizeof program / sizeof *program,
      .license = (uintptr_t) "GPL",
      .log_buf = (uintptr_t)log,
      .log_size = sizeof log,
      .log_level = 1,
  };
  const int fd = (int)bpf(BPF_PROG_LOAD, &load);
  if (fd < 0) fprintf(stderr, "%s\n", log), fail("BPF_PROG_LOAD");
  union bpf_attr attach = {.target_fd = (uint32_t)sockets_map, .attach_bpf_fd = (uint32_t)fd, .attach_type = BPF_SK_SKB_STREAM_VERDICT};
  if (bpf(BPF_PROG_ATTACH, &attach) < 0) fail("BPF_PROG_ATTACH");
}

static int put(int map, const void *key, const void *value) {
  union bpf_attr update = {.map_fd = (uint32_t)map, .key = (uintptr_t)key, .value = (uintptr_t)value, .flags = BPF_ANY};
  return (int)bpf(BPF_MAP_UPDATE_ELEM, &update);
}

static void pair_in_kernel(int one, int other) {
  uint64_t cookie;
  socklen_t length = sizeof cookie;
  uint32_t index = (uint32_t)other;
  if (getsockopt(one, SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0) fail("SO_COOKIE");
  if (put(peers_map, &cookie, &index) < 0) fail("BPF_MAP_UPDATE_ELEM");
}

static struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void close_pair(int fd) {
  for (int i = 0, each = fd; i < 2; i++) {
    struct side *side = &sides[each];
    const int next = side->other;
    if (side->is_used) {
      close(each);
      if (mode == SPLICE) close(side->pipe[0]), close(side->pipe[1]);
      side->is_used = 0;
    }
    each = next;
  }
}

/* Interest: reading while nothing waits, writing while something waits for this side. */
static void watch(int fd) {
  struct side *side = &sides[fd];
  struct epoll_event event = {.data.fd = fd};
  if (side->waiting == 0 && !side->has_ended) event.events |= EPOLLIN;
  if (sides[side->other].waiting > 0) event.events |= EPOLLOUT;
  epoll_ctl(queue, EPOLL_CTL_MOD, fd, &event);
}

/* Moves what it can from one side to the other; 0 when the pair is closed. */
static int move(int fd) {
  struct side *side = &sides[fd];
  for (;;) {
    if (side->waiting == 0 && !side->has_ended) {
      const ssize_t got = mode == SPLICE ? splice(fd, NULL, side->pipe[1], NULL, CHUNK, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
                                         : recv(fd, side->buffer, CHUNK, MSG_DONTWAIT);
      if (got < 0 && errno != EAGAIN) return close_pair(fd), 0;
      if (got < 0) break;
      if (got == 0) side->has_ended = 1;
      side->waiting = (size_t)(got > 0 ? got : 0);
      side->at = 0;
    }
    if (side->waiting == 0) break;
    const ssize_t sent = mode == SPLICE ? splice(side->pipe[0], NULL, side->other, NULL, side->waiting, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
                                        : send(side->other, side->buffer + side->at, side->waiting, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return close_pair(fd), 0;
    if (sent < 0) break;
    side->waiting -= (size_t)sent;
    side->at += (size_t)sent;
  }
  /* What the program has redirected is sent by a thread of the kernel: nobody tells when it is out, and a FIN would overtake it. */
  if (mode == SOCKMAP && side->has_ended && !side->told_end) usleep(5000);
  if (side->has_ended && side->waiting == 0 && !side->told_end) shutdown(side->other, SHUT_WR), side->told_end = 1;
  if (side->told_end && sides[side->other].told_end) return close_pair(fd), 0;
  watch(fd);
  watch(side->other);
  return 1;
}

static void adopt(int fd, int other) {
  struct side *side = &sides[fd];
  char *buffer = side->buffer;
  *side = (struct side){.fd = fd, .other = other, .buffer = buffer, .is_used = 1};
  if (side->buffer == NULL) side->buffer = malloc(CHUNK);
  if (mode == SPLICE && (pipe2(side->pipe, O_NONBLOCK) < 0 || fcntl(side->pipe[0], F_SETPIPE_SZ, CHUNK) < 0)) fail("pipe");
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event);
}

static void begin(int client, int origin_port) {
  const struct sockaddr_in address = loopback(origin_port);
  const int server = socket(AF_INET, SOCK_STREAM, 0);
  if (server < 0 || server >= MOST || client >= MOST || connect(server, (const struct sockaddr *)&address, sizeof address) < 0) {
    close(client);
    if (server >= 0) close(server);
    return;
  }
  fcntl(client, F_SETFL, O_NONBLOCK);
  fcntl(server, F_SETFL, O_NONBLOCK);
  adopt(client, server);
  adopt(server, client);
  if (mode != SOCKMAP) return;
  pair_in_kernel(client, server);
  pair_in_kernel(server, client);
  /* A socket that has ended already is not taken. */
  if (put(sockets_map, &server, &server) < 0 || put(sockets_map, &client, &client) < 0) {
    close_pair(client);
    return;
  }
  /* What came before the sockets were in the map is moved by hand. */
  move(client);
}

int main(int count, char **words) {
  if (count != 4) return fprintf(stderr, "relay copy|splice|sockmap PORT ORIGIN\n"), 2;
  mode = strcmp(words[1], "splice") == 0 ? SPLICE : strcmp(words[1], "sockmap") == 0 ? SOCKMAP : COPY;
  /* splice() has no MSG_NOSIGNAL. */
  signal(SIGPIPE, SIG_IGN);
  const struct sockaddr_in address = loopback(atoi(words[2]));
  const struct rlimit most = {.rlim_cur = 4 * MOST, .rlim_max = 4 * MOST};
  setrlimit(RLIMIT_NOFILE, &most);
  if (mode == SOCKMAP) load_sockmap();
  const int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (const struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) fail("listen");
  queue = epoll_create1(0);
  struct epoll_event accepting = {.events = EPOLLIN, .data.fd = listener}, events[256];
  epoll_ctl(queue, EPOLL_CTL_ADD, listener, &accepting);
  for (;;) {
    const int ready = epoll_wait(queue, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      const int fd = events[i].data.fd;
      if (fd == listener) begin(accept(listener, NULL, NULL), atoi(words[3]));
      else if (sides[fd].is_used && move(fd) && (events[i].events & EPOLLOUT)) move(sides[fd].other);
    }
  }
}
