/*
 * The addon: system calls for src/kernel, no policy. Each function copies its arguments in, makes the call, copies the result
 * out and returns it, or -errno. Arguments are checked by the TypeScript that calls (src/kernel is the only importer); what is
 * checked here is what could otherwise write outside of a buffer.
 */
#ifndef EVENER_ADDON_H
#define EVENER_ADDON_H

#define NAPI_VERSION 9
#include <node_api.h>
#include <stddef.h>
#include <stdint.h>

struct method {
  const char *name;
  napi_callback call;
};

/* Each file of the addon adds its functions to the exports; addon.c lists the files. */
void register_bpf(napi_env env, napi_value exports);
void register_memory(napi_env env, napi_value exports);
void register_netlink(napi_env env, napi_value exports);
void register_probe(napi_env env, napi_value exports);
void register_ring(napi_env env, napi_value exports);
void register_socket(napi_env env, napi_value exports);
void register_splice(napi_env env, napi_value exports);
void register_tls(napi_env env, napi_value exports);

void define_methods(napi_env env, napi_value exports, const struct method *methods, size_t count);
#define DEFINE_METHODS(env, exports, methods) define_methods(env, exports, methods, sizeof(methods) / sizeof((methods)[0]))

/* Arguments that are missing or of another type read as 0, "" or NULL. */
#define ARGUMENTS(env, info, count)                                  \
  napi_value argument[count] = {NULL};                               \
  do {                                                               \
    size_t length_ = (count);                                        \
    napi_get_cb_info(env, info, &length_, argument, NULL, NULL);     \
  } while (0)

int32_t read_int(napi_env env, napi_value value);
int64_t read_long(napi_env env, napi_value value);
/* Copies at most size - 1 bytes of the string and a NUL; returns the length copied. */
size_t read_string(napi_env env, napi_value value, char *out, size_t size);
/* The bytes of a Uint8Array (or Buffer); *length is 0 and the result NULL for anything else. */
uint8_t *read_bytes(napi_env env, napi_value value, size_t *length);

napi_value make_int(napi_env env, int32_t value);
napi_value make_double(napi_env env, double value);
napi_value make_string(napi_env env, const char *text, size_t length);
void set_property(napi_env env, napi_value object, const char *name, napi_value value);
/* An ArrayBuffer over memory from mmap(), which is unmapped when the ArrayBuffer is collected. */
napi_value make_mapping(napi_env env, void *memory, size_t length);
/* -errno if `result` is negative, else `result`. */
int32_t result_of(long result);

#endif
