/* What this kernel's io_uring can do. */
#include "addon.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OPERATIONS = 256 };

/* probeRing(setupFlags) -> Uint8Array with 1 at each opcode that is supported | -errno of io_uring_setup() */
static napi_value probe_ring(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 1);
  struct io_uring_params params = {.flags = (uint32_t)read_int(env, argument[0])};
  const int fd = (int)syscall(SYS_io_uring_setup, 4, &params);
  if (fd < 0) return make_int(env, -errno);
  struct io_uring_probe *probe = calloc(1, sizeof *probe + OPERATIONS * sizeof(struct io_uring_probe_op));
  if (probe == NULL) {
    close(fd);
    return make_int(env, -ENOMEM);
  }
  const int32_t result = result_of(syscall(SYS_io_uring_register, fd, IORING_REGISTER_PROBE, probe, OPERATIONS));
  close(fd);
  void *bytes = NULL;
  napi_value buffer = NULL, out = NULL;
  if (result < 0 || napi_create_arraybuffer(env, OPERATIONS, &bytes, &buffer) != napi_ok) {
    free(probe);
    return make_int(env, result < 0 ? result : -ENOMEM);
  }
  for (int i = 0; i < OPERATIONS; i++) ((uint8_t *)bytes)[i] = i < probe->ops_len && (probe->ops[i].flags & IO_URING_OP_SUPPORTED) != 0;
  free(probe);
  napi_create_typedarray(env, napi_uint8_array, OPERATIONS, buffer, 0, &out);
  return out;
}

void register_probe(napi_env env, napi_value exports) {
  static const struct method methods[] = {{"probeRing", probe_ring}};
  DEFINE_METHODS(env, exports, methods);
}
