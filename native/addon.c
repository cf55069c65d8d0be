/* Entry point: what the addon consists of, and the conversions that all its files share. */
#include "addon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

NAPI_MODULE_INIT(/* napi_env env, napi_value exports */) {
  register_bpf(env, exports);
  register_memory(env, exports);
  register_netlink(env, exports);
  register_probe(env, exports);
  register_ring(env, exports);
  register_socket(env, exports);
  register_splice(env, exports);
  register_tls(env, exports);
  return exports;
}

void define_methods(napi_env env, napi_value exports, const struct method *methods, size_t count) {
  for (size_t i = 0; i < count; i++) {
    napi_value function;
    if (napi_create_function(env, methods[i].name, NAPI_AUTO_LENGTH, methods[i].call, NULL, &function) == napi_ok) {
      set_property(env, exports, methods[i].name, function);
    }
  }
}

int32_t read_int(napi_env env, napi_value value) {
  int32_t out = 0;
  napi_get_value_int32(env, value, &out);
  return out;
}

int64_t read_long(napi_env env, napi_value value) {
  int64_t out = 0;
  napi_get_value_int64(env, value, &out);
  return out;
}

size_t read_string(napi_env env, napi_value value, char *out, size_t size) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, out, size, &length) != napi_ok) length = 0;
  out[length] = 0;
  return length;
}

uint8_t *read_bytes(napi_env env, napi_value value, size_t *length) {
  napi_typedarray_type type;
  void *data = NULL;
  *length = 0;
  if (napi_get_typedarray_info(env, value, &type, length, &data, NULL, NULL) != napi_ok || type != napi_uint8_array) {
    *length = 0;
    return NULL;
  }
  return data;
}

napi_value make_int(napi_env env, int32_t value) {
  napi_value out = NULL;
  napi_create_int32(env, value, &out);
  return out;
}

napi_value make_double(napi_env env, double value) {
  napi_value out = NULL;
  napi_create_double(env, value, &out);
  return out;
}

napi_value make_string(napi_env env, const char *text, size_t length) {
  napi_value out = NULL;
  napi_create_string_utf8(env, text, length, &out);
  return out;
}

void set_property(napi_env env, napi_value object, const char *name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

static void unmap(napi_env env, void *memory, void *length) {
  (void)env;
  munmap(memory, (size_t)(uintptr_t)length);
}

napi_value make_mapping(napi_env env, void *memory, size_t length) {
  napi_value out = NULL;
  if (napi_create_external_arraybuffer(env, memory, length, unmap, (void *)(uintptr_t)length, &out) != napi_ok) {
    munmap(memory, length);
    return NULL;
  }
  return out;
}

int32_t result_of(long result) {
  return result < 0 ? -errno : (int32_t)result;
}
