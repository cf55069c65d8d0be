/* Contexts: what the sessions of a listener or to a server have in common. Setters return 0, or -1 with the reason in tls.reason(). */
#include "tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The last session that uses a context frees it: callbacks read it until then. */
static void forget_context(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument) {
  (void)parent;
  (void)data;
  (void)index;
  (void)number;
  (void)argument;
  struct context *context = pointer;
  if (context == NULL) return;
  for (unsigned i = 0; i < context->staple_count; i++) {
    X509_free(context->staples[i].certificate);
    free(context->staples[i].response);
  }
  free(context->protocols);
  free(context);
}

static int made_index = -1;
static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;

static void make_index(void) {
  made_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, forget_context);
}

int context_index(void) {
  CRYPTO_THREAD_run_once(&once, make_index);
  return made_index;
}

void free_context(struct context *context) {
  SSL_CTX_free(context->ssl);
}

struct context *this_context(napi_env env, napi_callback_info info, napi_value *argument, size_t count) {
  const struct tls *tls = this_tls(env, info, argument, count);
  ERR_clear_error();
  return table_at(&tls->contexts, read_int(env, argument[0]));
}

/* openContext(isServer, idBytes) -> context | -errno. The id separates the sessions of one listener from another's. */
static napi_value open_context(napi_env env, napi_callback_info info) {
  napi_value argument[2] = {NULL};
  struct tls *tls = this_tls(env, info, argument, 2);
  struct context *context = calloc(1, sizeof *context);
  if (context == NULL) return make_int(env, -ENOMEM);
  context->tls = tls;
  context->is_server = read_int(env, argument[0]);
  context->ssl = SSL_CTX_new(context->is_server ? TLS_server_method() : TLS_client_method());
  if (context->ssl == NULL) {
    free(context);
    return make_int(env, -ENOMEM);
  }
  SSL_CTX_set_ex_data(context->ssl, context_index(), context);
  SSL_CTX_set_mode(context->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_max_send_fragment(context->ssl, RECORD_BYTES);
  SSL_CTX_set_options(context->ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  if (context->is_server) {
    size_t length;
    const uint8_t *id = read_bytes(env, argument[1], &length);
    if (id != NULL && length <= SSL_MAX_SID_CTX_LENGTH) SSL_CTX_set_session_id_context(context->ssl, id, (unsigned)length);
    SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
    set_server_callbacks(context);
  } else {
    SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context->ssl, keep_session);
  }
  const int32_t index = table_add(&tls->contexts, context);
  if (index < 0) free_context(context);
  return make_int(env, index);
}

/* closeContext(context). Sessions that use it go on. */
static napi_value close_context(napi_env env, napi_callback_info info) {
  napi_value argument[1] = {NULL};
  struct context *context = this_context(env, info, argument, 1);
  if (context == NULL) return make_int(env, -EBADF);
  table_remove(&context->tls->contexts, read_int(env, argument[0]));
  free_context(context);
  return make_int(env, 0);
}

/* setVersions(context, minimum, maximum): 0x0303, 0x0304 */
static napi_value set_versions(napi_env env, napi_callback_info info) {
  napi_value argument[3] = {NULL};
  struct context *context = this_context(env, info, argument, 3);
  if (context == NULL) return make_int(env, -EBADF);
  const int result = SSL_CTX_set_min_proto_version(context->ssl, read_int(env, argument[1])) &&
                     SSL_CTX_set_max_proto_version(context->ssl, read_int(env, argument[2]));
  return make_int(env, result ? 0 : -1);
}

enum { LIST_BYTES = 2048 };

/* setCiphers(context, ciphers, suites, groups): OpenSSL's lists; "" leaves its default. */
static napi_value set_ciphers(napi_env env, napi_callback_info info) {
  napi_value argument[4] = {NULL};
  struct context *context = this_context(env, info, argument, 4);
  if (context == NULL) return make_int(env, -EBADF);
  char ciphers[LIST_BYTES], suites[LIST_BYTES], groups[LIST_BYTES];
  int result = 1;
  if (read_string(env, argument[1], ciphers, sizeof ciphers) > 0) result = result && SSL_CTX_set_cipher_list(context->ssl, ciphers);
  if (read_string(env, argument[2], suites, sizeof suites) > 0) result = result && SSL_CTX_set_ciphersuites(context->ssl, suites);
  if (read_string(env, argument[3], groups, sizeof groups) > 0) result = result && SSL_CTX_set1_groups_list(context->ssl, groups);
  return make_int(env, result ? 0 : -1);
}

/* setProtocols(context, wireFormat): what a server chooses from, in its order, or what a client offers. */
static napi_value set_protocols(napi_env env, napi_callback_info info) {
  napi_value argument[2] = {NULL};
  struct context *context = this_context(env, info, argument, 2);
  size_t length;
  const uint8_t *wire = read_bytes(env, argument[1], &length);
  if (context == NULL || wire == NULL) return make_int(env, -EINVAL);
  if (!context->is_server) return make_int(env, SSL_CTX_set_alpn_protos(context->ssl, wire, (unsigned)length) == 0 ? 0 : -1);
  free(context->protocols);
  context->protocols = malloc(length);
  if (context->protocols == NULL) return make_int(env, -ENOMEM);
  memcpy(context->protocols, wire, length);
  context->protocols_length = (unsigned)length;
  return make_int(env, 0);
}

/* setServer(context, usesTickets, wantsHello) */
static napi_value set_server(napi_env env, napi_callback_info info) {
  napi_value argument[3] = {NULL};
  struct context *context = this_context(env, info, argument, 3);
  if (context == NULL) return make_int(env, -EBADF);
  context->uses_tickets = read_int(env, argument[1]);
  context->wants_hello = read_int(env, argument[2]);
  /* One instead of two: 8 of 141 microseconds of a handshake. A client with several connections has one from each. */
  SSL_CTX_set_num_tickets(context->ssl, 1);
  if (!context->uses_tickets) {
    SSL_CTX_set_options(context->ssl, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context->ssl, 0);
  }
  return make_int(env, 0);
}

/* reason() -> text: why the last function here failed */
static napi_value reason(napi_env env, napi_callback_info info) {
  (void)info;
  const unsigned long code = ERR_peek_last_error();
  const char *text = code == 0 ? NULL : ERR_reason_error_string(code);
  ERR_clear_error();
  return make_string(env, text == NULL ? "not accepted by OpenSSL" : text, NAPI_AUTO_LENGTH);
}

const struct method tls_context_methods[] = {
    {"openContext", open_context}, {"closeContext", close_context}, {"setVersions", set_versions}, {"setCiphers", set_ciphers},
    {"setServer", set_server},     {"setProtocols", set_protocols}, {"reason", reason},
};
const size_t tls_context_method_count = sizeof tls_context_methods / sizeof tls_context_methods[0];
