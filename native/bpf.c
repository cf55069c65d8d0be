/* bpf(2) and the mounting of its file system. The attribute is laid out by src/kernel/bpf; only addresses are filled in here. */
#include "addon.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { POINTERS = 14, PATH_BYTES = 4096 };

/*
 * bpfCall(command, attribute, target, offset, buffer, target, offset, buffer, …): writes the address of each buffer at `offset`
 * of its target (the attribute itself, or a buffer that the attribute points to), then calls bpf(2). -EINVAL if one does not fit.
 */
static napi_value bpf_call(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 2 + 3 * POINTERS);
  size_t attribute_length;
  uint8_t *attribute = read_bytes(env, argument[1], &attribute_length);
  if (attribute == NULL) return make_int(env, -EINVAL);
  for (int i = 2; i < 2 + 3 * POINTERS && argument[i] != NULL; i += 3) {
    size_t target_length, buffer_length;
    uint8_t *target = read_bytes(env, argument[i], &target_length);
    int64_t offset = read_long(env, argument[i + 1]);
    uint64_t address = (uintptr_t)read_bytes(env, argument[i + 2], &buffer_length);
    if (target == NULL) break;
    if (offset < 0 || target_length < sizeof address || (size_t)offset > target_length - sizeof address) return make_int(env, -EINVAL);
    memcpy(target + offset, &address, sizeof address);
  }
  return make_int(env, result_of(syscall(SYS_bpf, read_int(env, argument[0]), attribute, attribute_length)));
}

/* bpfMount(path): mounts a BPF file system, in which maps and programs outlive the process that made them. */
static napi_value bpf_mount(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 1);
  char path[PATH_BYTES];
  if (read_string(env, argument[0], path, sizeof path) == 0) return make_int(env, -EINVAL);
  return make_int(env, result_of(mount("bpf", path, "bpf", 0, "mode=0700")));
}

/* bpfClose(fd): closes the descriptor of a map, program or link. */
static napi_value bpf_close(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 1);
  return make_int(env, result_of(close(read_int(env, argument[0]))));
}

void register_bpf(napi_env env, napi_value exports) {
  static const struct method methods[] = {{"bpfCall", bpf_call}, {"bpfMount", bpf_mount}, {"bpfClose", bpf_close}};
  DEFINE_METHODS(env, exports, methods);
}
