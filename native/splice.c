/* Pipes, and pages that go through them from one socket to another. */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* openPipe(ends) -> 0 | -errno; writes the descriptors to read from and to write to, as two int32 */
static napi_value open_pipe(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 1);
  size_t length;
  uint8_t *out = read_bytes(env, argument[0], &length);
  int ends[2];
  if (out == NULL || length < sizeof ends) return make_int(env, -EINVAL);
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return make_int(env, -errno);
  memcpy(out, ends, sizeof ends);
  return make_int(env, 0);
}

/* setPipeBytes(fd, bytes) -> the pipe's size now | -errno */
static napi_value set_pipe_bytes(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 2);
  return make_int(env, result_of(fcntl(read_int(env, argument[0]), F_SETPIPE_SZ, read_int(env, argument[1]))));
}

/* setNonBlocking(fd) -> 0 | -errno: splice() goes by the sockets' own flag, not by its argument */
static napi_value set_non_blocking(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 1);
  const int fd = read_int(env, argument[0]);
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return make_int(env, -errno);
  return make_int(env, 0);
}

/* splice(from, to, length) -> bytes moved, 0 at the end | -errno */
static napi_value splice_between(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 3);
  const size_t length = (size_t)(uint32_t)read_int(env, argument[2]);
  const ssize_t moved = splice(read_int(env, argument[0]), NULL, read_int(env, argument[1]), NULL, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  return make_int(env, result_of(moved));
}

/* descriptorLimit() -> how many descriptors the process may have open | -errno */
static napi_value descriptor_limit(napi_env env, napi_callback_info info) {
  (void)info;
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return make_int(env, -errno);
  return make_int(env, limit.rlim_cur > INT32_MAX ? INT32_MAX : (int32_t)limit.rlim_cur);
}

void register_splice(napi_env env, napi_value exports) {
  static const struct method methods[] = {
      {"openPipe", open_pipe},
      {"setPipeBytes", set_pipe_bytes},
      {"setNonBlocking", set_non_blocking},
      {"splice", splice_between},
      {"descriptorLimit", descriptor_limit},
  };
  DEFINE_METHODS(env, exports, methods);
}
