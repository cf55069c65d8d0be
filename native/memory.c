/* Memory that JavaScript and the kernel share. */
#include "addon.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>


#define HIGH_WORD(pointer) ((uint64_t)(uintptr_t)(pointer) >> 32)

/*
 * Address space for `length` bytes (at most 2 GiB) whose addresses all have the same high 32 bits, so that JavaScript can
 * compute an address by adding an offset to the low word. Nothing is resident until it is touched.
 */
static char *reserve_within_high_word(size_t length) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (memory == MAP_FAILED || HIGH_WORD(memory) == HIGH_WORD(memory + length - 1)) return memory;
  munmap(memory, length);
  /* Twice the length crosses at most one boundary, so that one side of it is long enough. */
  memory = mmap(NULL, 2 * length, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (memory == MAP_FAILED) return memory;
  char *boundary = (char *)(uintptr_t)(HIGH_WORD(memory + 2 * length - 1) << 32);
  char *chosen = boundary > memory && (size_t)(boundary - memory) < length ? boundary : memory;
  if (chosen > memory) munmap(memory, chosen - memory);
  munmap(chosen + length, memory + length - chosen);
  return chosen;
}

/* mapMemory(length) -> { buffer, low, high } | -errno */
static napi_value map_memory(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 1);
  int64_t length = read_long(env, argument[0]);
  if (length <= 0 || length > INT64_C(0x80000000)) return make_int(env, -EINVAL);
  char *memory = reserve_within_high_word((size_t)length);
  if (memory == MAP_FAILED) return make_int(env, -errno);
  napi_value buffer = make_mapping(env, memory, (size_t)length);
  if (buffer == NULL) return make_int(env, -ENOMEM);
  napi_value out = NULL;
  napi_create_object(env, &out);
  set_property(env, out, "buffer", buffer);
  set_property(env, out, "low", make_double(env, (double)(uint32_t)(uintptr_t)memory));
  set_property(env, out, "high", make_double(env, (double)HIGH_WORD(memory)));
  return out;
}

/* discardMemory(bytes): gives the pages back to the system; they read as zero from then on. */
static napi_value discard_memory(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 1);
  size_t length;
  uint8_t *bytes = read_bytes(env, argument[0], &length);
  if (bytes == NULL) return make_int(env, -EINVAL);
  return make_int(env, result_of(madvise(bytes, length, MADV_DONTNEED)));
}

void register_memory(napi_env env, napi_value exports) {
  static const struct method methods[] = {
      {"mapMemory", map_memory},
      {"discardMemory", discard_memory},
  };
  DEFINE_METHODS(env, exports, methods);
}
