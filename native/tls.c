/* The thread's TLS state: its tables, and the object whose methods work on it. */
#include "tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int32_t table_add(struct table *table, void *item) {
  if (table->free_count > 0) {
    const int32_t index = table->free[--table->free_count];
    table->items[index] = item;
    return index;
  }
  if (table->used == table->size) {
    const uint32_t size = table->size == 0 ? 64 : table->size * 2;
    void **items = realloc(table->items, size * sizeof *items);
    if (items == NULL) return -ENOMEM;
    table->items = items;
    int32_t *unused = realloc(table->free, size * sizeof *unused);
    if (unused == NULL) return -ENOMEM;
    table->free = unused;
    table->size = size;
  }
  table->items[table->used] = item;
  return (int32_t)table->used++;
}

void *table_at(const struct table *table, int32_t index) {
  return index >= 0 && (uint32_t)index < table->used ? table->items[index] : NULL;
}

void table_remove(struct table *table, int32_t index) {
  if (table_at(table, index) == NULL) return;
  table->items[index] = NULL;
  table->free[table->free_count++] = index;
}

static int made_index = -1;
static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;

static void make_index(void) {
  made_index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL, 0, NULL, NULL, NULL, NULL);
}

int owner_index(void) {
  CRYPTO_THREAD_run_once(&once, make_index);
  return made_index;
}

struct tls *this_tls(napi_env env, napi_callback_info info, napi_value *argument, size_t count) {
  void *data = NULL;
  napi_get_cb_info(env, info, &count, argument, NULL, &data);
  return data;
}

static void free_table(struct table *table, void (*drop)(void *)) {
  for (uint32_t i = 0; i < table->used; i++) {
    if (table->items[i] != NULL) drop(table->items[i]);
  }
  free(table->items);
  free(table->free);
}

static void drop_session(void *session) { free_session(session); }
static void drop_context(void *context) { free_context(context); }
static void drop_seat(void *seat) { free_seat(seat); }

static void collected(napi_env env, void *data, void *hint) {
  (void)hint;
  struct tls *tls = data;
  free_table(&tls->sessions, drop_session);
  free_table(&tls->contexts, drop_context);
  free_table(&tls->seats, drop_seat);
  for (int i = 0; i < 3; i++) {
    if (tls->held[i] != NULL) napi_delete_reference(env, tls->held[i]);
  }
  BIO_meth_free(tls->bio);
  EVP_CIPHER_free(tls->ticket_cipher);
  free(tls);
}

static void add_methods(napi_env env, napi_value object, const struct method *methods, size_t count, struct tls *tls) {
  for (size_t i = 0; i < count; i++) {
    napi_value function = NULL;
    napi_create_function(env, methods[i].name, NAPI_AUTO_LENGTH, methods[i].call, tls, &function);
    set_property(env, object, methods[i].name, function);
  }
}

/* createTls(arena, results, ticketKeys) -> NativeTls (src/kernel/tls.ts) | -errno. All three are Uint8Arrays that it keeps. */
static napi_value create_tls(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 3);
  struct tls *tls = calloc(1, sizeof *tls);
  if (tls == NULL) return make_int(env, -ENOMEM);
  size_t results = 0, keys = 0;
  tls->arena = read_bytes(env, argument[0], &tls->arena_length);
  tls->results = (int32_t *)(void *)read_bytes(env, argument[1], &results);
  tls->result_count = results / sizeof(int32_t);
  tls->ticket_keys = read_bytes(env, argument[2], &keys);
  if (tls->arena == NULL || tls->result_count < 32 || keys < TICKET_KEYS_AT + TICKET_SLOTS * TICKET_KEY_BYTES) {
    free(tls);
    return make_int(env, -EINVAL);
  }
  tls->bio = make_bio_method();
  tls->ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
  for (int i = 0; i < 3; i++) napi_create_reference(env, argument[i], 1, &tls->held[i]);
  napi_value object = NULL;
  napi_create_object(env, &object);
  add_methods(env, object, tls_context_methods, tls_context_method_count, tls);
  add_methods(env, object, tls_certificate_methods, tls_certificate_method_count, tls);
  add_methods(env, object, tls_session_methods, tls_session_method_count, tls);
  add_methods(env, object, tls_stream_methods, tls_stream_method_count, tls);
  add_methods(env, object, tls_seat_methods, tls_seat_method_count, tls);
  napi_add_finalizer(env, object, tls, collected, NULL, NULL);
  return object;
}

void register_tls(napi_env env, napi_value exports) {
  static const struct method methods[] = {{"createTls", create_tls}};
  DEFINE_METHODS(env, exports, methods);
}
