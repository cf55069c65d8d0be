/*
 * io_uring: creates a ring, maps what it shares with the kernel into ArrayBuffers and enters it. SQEs are written and CQEs are
 * read by src/engine/uring.
 *
 * The descriptors that the ring's owner has open are listed in shared memory too, as fd + 1, so that they are closed with
 * the environment when a worker thread is terminated in the middle of its work.
 */
#include "addon.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

/* What enter() tells its caller besides the result; RING_CONTROL in src/kernel/ring.ts has the same layout. */
struct control {
  double monotonic_ms;
  double wall_ms;
  int32_t libuv_due;
  int32_t unused[11];
};

struct mapping {
  void *memory;
  size_t length;
};

enum { RINGS, SQES, SHARED, MAPPINGS };

/*
 * Lives until its JavaScript object and the ArrayBuffers over its mappings are all gone, in whichever order that happens:
 * `references` counts them.
 */
struct ring {
  int references;
  struct mapping mappings[MAPPINGS];
  uv_loop_t *loop;
  int fd;
  int enter_fd;
  unsigned enter_flags;
  struct control *control;
  double wall_measured_ms; /* on the monotonic clock */
  double wall_ahead_ms;
  int32_t *descriptors;
  uint32_t descriptor_count;
  uint8_t accept_kind;
  const uint32_t *cq_head;
  const uint32_t *cq_tail;
  const struct io_uring_cqe *cqes;
  uint32_t cq_mask;
};

static long uring_register(int fd, unsigned opcode, void *argument, unsigned count) {
  return syscall(SYS_io_uring_register, fd, opcode, argument, count);
}

static void *map_shared(int fd, size_t length, off_t offset) {
  return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
}

/* Spares each io_uring_enter() the descriptor's look-up. The registration belongs to this thread. */
static void register_own_descriptor(struct ring *ring) {
  struct io_uring_rsrc_update update = {.offset = (uint32_t)-1, .data = (uint64_t)ring->fd};
  if (uring_register(ring->fd, IORING_REGISTER_RING_FDS, &update, 1) != 1) return;
  ring->enter_fd = (int)update.offset;
  ring->enter_flags = IORING_ENTER_REGISTERED_RING;
}

static void close_ring(struct ring *ring) {
  if (ring->fd < 0) return;
  if (ring->enter_flags != 0) {
    struct io_uring_rsrc_update update = {.offset = (uint32_t)ring->enter_fd};
    uring_register(ring->fd, IORING_UNREGISTER_RING_FDS, &update, 1);
  }
  close(ring->fd);
  ring->fd = -1;
}

static void close_descriptor(int fd) {
  /* The ring may hold the file a moment longer; a listener must not go on accepting, a client must see the end now. */
  shutdown(fd, SHUT_RDWR);
  close(fd);
}

static void close_descriptors(struct ring *ring) {
  for (uint32_t i = 0; i < ring->descriptor_count; i++) {
    if (ring->descriptors[i] > 0) close_descriptor(ring->descriptors[i] - 1);
    if (ring->descriptors[i] != 0) ring->descriptors[i] = 0;
  }
  for (uint32_t head = *ring->cq_head; head != *ring->cq_tail; head++) {
    const struct io_uring_cqe *cqe = &ring->cqes[head & ring->cq_mask];
    if ((cqe->user_data & 0xff) == ring->accept_kind && cqe->res >= 0) close_descriptor(cqe->res);
  }
}

static void close_with_environment(void *data) {
  struct ring *ring = data;
  if (ring->fd >= 0) close_descriptors(ring);
  close_ring(ring);
}

static void drop_reference(struct ring *ring) {
  if (--ring->references > 0) return;
  for (int i = 0; i < MAPPINGS; i++) {
    if (ring->mappings[i].memory != NULL) munmap(ring->mappings[i].memory, ring->mappings[i].length);
  }
  free(ring);
}

static void mapping_collected(napi_env env, void *memory, void *ring) {
  (void)env;
  (void)memory;
  drop_reference(ring);
}

static void object_collected(napi_env env, void *ring, void *hint) {
  (void)hint;
  napi_remove_env_cleanup_hook(env, close_with_environment, ring);
  close_ring(ring);
  drop_reference(ring);
}

static struct ring *this_ring(napi_env env, napi_callback_info info, napi_value *argument, size_t count) {
  void *data = NULL;
  napi_get_cb_info(env, info, &count, argument, NULL, &data);
  return data;
}

static double now_ms(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* One clock is read each time; how far the other is ahead of it is measured once a second, so that its jumps are followed. */
static void read_clocks(struct ring *ring) {
  const double monotonic_ms = now_ms(CLOCK_MONOTONIC);
  if (!(monotonic_ms - ring->wall_measured_ms < 1000)) {
    ring->wall_measured_ms = monotonic_ms;
    ring->wall_ahead_ms = now_ms(CLOCK_REALTIME) - monotonic_ms;
  }
  ring->control->monotonic_ms = monotonic_ms;
  ring->control->wall_ms = monotonic_ms + ring->wall_ahead_ms;
}

/* How long libuv lets us wait, in milliseconds: 0 when it has something to do, -1 for ever. */
static int libuv_timeout(uv_loop_t *loop) {
  uv_update_time(loop);
  return uv_backend_timeout(loop);
}

/* enter(submit, wait, timeoutMs) -> number submitted | -errno. Waits no longer than libuv's next timer; see struct control. */
static napi_value enter(napi_env env, napi_callback_info info) {
  napi_value argument[3] = {NULL};
  struct ring *ring = this_ring(env, info, argument, 3);
  if (ring->fd < 0) return make_int(env, -EBADF);
  const unsigned submit = (unsigned)read_int(env, argument[0]);
  unsigned wait = (unsigned)read_int(env, argument[1]);
  int timeout_ms = read_int(env, argument[2]);
  if (wait > 0) {
    const int libuv_ms = libuv_timeout(ring->loop);
    if (libuv_ms >= 0 && (timeout_ms < 0 || libuv_ms < timeout_ms)) timeout_ms = libuv_ms;
    ring->control->libuv_due = libuv_ms == 0;
    if (timeout_ms == 0) wait = 0;
  }
  struct __kernel_timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = (long long)(timeout_ms % 1000) * 1000000};
  struct io_uring_getevents_arg extra = {.ts = wait > 0 && timeout_ms > 0 ? (uint64_t)(uintptr_t)&timeout : 0};
  const unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | ring->enter_flags;
  const int32_t result = result_of(syscall(SYS_io_uring_enter, ring->enter_fd, submit, wait, flags, &extra, sizeof extra));
  read_clocks(ring);
  return make_int(env, result);
}

/* registerBuffers(group, entries) -> ArrayBuffer of struct io_uring_buf_ring | -errno */
static napi_value register_buffers(napi_env env, napi_callback_info info) {
  napi_value argument[2] = {NULL};
  struct ring *ring = this_ring(env, info, argument, 2);
  const uint32_t entries = (uint32_t)read_int(env, argument[1]);
  if (entries == 0 || entries > 32768) return make_int(env, -EINVAL);
  const size_t length = entries * sizeof(struct io_uring_buf);
  void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) return make_int(env, -errno);
  struct io_uring_buf_reg registration = {
      .ring_addr = (uint64_t)(uintptr_t)memory,
      .ring_entries = entries,
      .bgid = (uint16_t)read_int(env, argument[0]),
  };
  const int32_t result = result_of(uring_register(ring->fd, IORING_REGISTER_PBUF_RING, &registration, 1));
  if (result < 0) {
    munmap(memory, length);
    return make_int(env, result);
  }
  return make_mapping(env, memory, length);
}

/* close(): closes the ring; its operations are cancelled by the kernel. Descriptors are the caller's. */
static napi_value close_from_script(napi_env env, napi_callback_info info) {
  close_ring(this_ring(env, info, NULL, 0));
  return make_int(env, 0);
}

static void add_method(napi_env env, napi_value object, const char *name, napi_callback call, struct ring *ring) {
  napi_value function = NULL;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, call, ring, &function);
  set_property(env, object, name, function);
}

static void set_int(napi_env env, napi_value object, const char *name, uint32_t value) {
  set_property(env, object, name, make_double(env, value));
}

static size_t ring_length(const struct io_uring_params *params) {
  const size_t submissions = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
  const size_t completions = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
  return submissions > completions ? submissions : completions;
}

static void describe(napi_env env, napi_value object, const struct io_uring_params *params) {
  set_int(env, object, "features", params->features);
  set_int(env, object, "sqEntries", params->sq_entries);
  set_int(env, object, "cqEntries", params->cq_entries);
  set_int(env, object, "sqTailAt", params->sq_off.tail);
  set_int(env, object, "sqFlagsAt", params->sq_off.flags);
  set_int(env, object, "sqArrayAt", params->sq_off.array);
  set_int(env, object, "cqHeadAt", params->cq_off.head);
  set_int(env, object, "cqTailAt", params->cq_off.tail);
  set_int(env, object, "cqesAt", params->cq_off.cqes);
}

static int keep_mapping(struct ring *ring, int which, void *memory, size_t length) {
  if (memory == MAP_FAILED) return 0;
  ring->mappings[which] = (struct mapping){.memory = memory, .length = length};
  return 1;
}

static int map_ring(struct ring *ring, const struct io_uring_params *params) {
  const size_t length = ring_length(params), sqe_length = params->sq_entries * sizeof(struct io_uring_sqe);
  const size_t shared_length = sizeof(struct control) + ring->descriptor_count * sizeof(int32_t);
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  if (!keep_mapping(ring, RINGS, map_shared(ring->fd, length, IORING_OFF_SQ_RING), length) ||
      !keep_mapping(ring, SQES, map_shared(ring->fd, sqe_length, IORING_OFF_SQES), sqe_length) ||
      !keep_mapping(ring, SHARED, mmap(NULL, shared_length, PROT_READ | PROT_WRITE, flags, -1, 0), shared_length)) {
    return 0;
  }
  char *rings = ring->mappings[RINGS].memory;
  ring->control = ring->mappings[SHARED].memory;
  ring->descriptors = (int32_t *)(ring->control + 1);
  ring->cq_head = (uint32_t *)(rings + params->cq_off.head);
  ring->cq_tail = (uint32_t *)(rings + params->cq_off.tail);
  ring->cqes = (struct io_uring_cqe *)(rings + params->cq_off.cqes);
  ring->cq_mask = params->cq_entries - 1;
  read_clocks(ring);
  return 1;
}

static void set_mapping(napi_env env, napi_value object, const char *name, struct ring *ring, int which) {
  napi_value buffer = NULL;
  struct mapping *mapping = &ring->mappings[which];
  if (napi_create_external_arraybuffer(env, mapping->memory, mapping->length, mapping_collected, ring, &buffer) != napi_ok) return;
  ring->references++;
  set_property(env, object, name, buffer);
}

static napi_value make_ring_object(napi_env env, struct ring *ring, const struct io_uring_params *params) {
  napi_value object = NULL;
  napi_create_object(env, &object);
  describe(env, object, params);
  set_mapping(env, object, "rings", ring, RINGS);
  set_mapping(env, object, "sqes", ring, SQES);
  set_mapping(env, object, "shared", ring, SHARED);
  set_int(env, object, "libuvDescriptor", (uint32_t)uv_backend_fd(ring->loop));
  add_method(env, object, "enter", enter, ring);
  add_method(env, object, "registerBuffers", register_buffers, ring);
  add_method(env, object, "close", close_from_script, ring);
  return object;
}

/* createRing(sqEntries, cqEntries, setupFlags, descriptorCount, acceptKind) -> NativeRing (src/kernel/native.ts) | -errno */
static napi_value create_ring(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 5);
  struct io_uring_params params = {
      .flags = (uint32_t)read_int(env, argument[2]) | IORING_SETUP_CQSIZE,
      .cq_entries = (uint32_t)read_int(env, argument[1]),
  };
  struct ring *ring = calloc(1, sizeof *ring);
  if (ring == NULL) return make_int(env, -ENOMEM);
  ring->references = 1;
  ring->wall_measured_ms = -1e3;
  ring->descriptor_count = (uint32_t)read_int(env, argument[3]);
  ring->accept_kind = (uint8_t)read_int(env, argument[4]);
  ring->fd = (int)syscall(SYS_io_uring_setup, read_int(env, argument[0]), &params);
  const int error = ring->fd < 0 ? errno : 0;
  ring->enter_fd = ring->fd;
  napi_get_uv_event_loop(env, &ring->loop);
  if (error != 0 || !map_ring(ring, &params)) {
    close_ring(ring);
    drop_reference(ring);
    return make_int(env, error != 0 ? -error : -ENOMEM);
  }
  register_own_descriptor(ring);
  napi_value object = make_ring_object(env, ring, &params);
  napi_add_env_cleanup_hook(env, close_with_environment, ring);
  napi_add_finalizer(env, object, ring, object_collected, NULL, NULL);
  return object;
}

void register_ring(napi_env env, napi_value exports) {
  static const struct method methods[] = {{"createRing", create_ring}};
  DEFINE_METHODS(env, exports, methods);
}
