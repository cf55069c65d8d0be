/* Contexts: certificates, versions, ciphers, trust. Each function returns 0, or -1 with the reason in tls.reason(). */
#include "tls.h"

#include <errno.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

static BIO *bio_of(napi_env env, napi_value value) {
  size_t length;
  const uint8_t *bytes = read_bytes(env, value, &length);
  return bytes == NULL ? NULL : BIO_new_mem_buf(bytes, (int)length);
}

static int no_password(char *buffer, int size, int is_writing, void *data) {
  (void)buffer;
  (void)size;
  (void)is_writing;
  (void)data;
  return -1;
}

static struct context *context_at(const struct tls *tls, napi_env env, napi_value value) {
  return table_at(&tls->contexts, read_int(env, value));
}

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
  struct tls *tls = this_tls(env, info, argument, 1);
  struct context *context = context_at(tls, env, argument[0]);
  if (context == NULL) return make_int(env, -EBADF);
  table_remove(&tls->contexts, read_int(env, argument[0]));
  free_context(context);
  return make_int(env, 0);
}

static int add_chain(SSL_CTX *ssl, BIO *source) {
  int result = 1;
  X509 *next;
  SSL_CTX_clear_chain_certs(ssl);
  while (result == 1 && (next = PEM_read_bio_X509(source, NULL, no_password, NULL)) != NULL) {
    result = SSL_CTX_add1_chain_cert(ssl, next) != 0;
    X509_free(next);
  }
  if (result == 1) ERR_clear_error(); /* the end of the file is an error too */
  return result;
}

static int use_certificate(struct context *context, BIO *chain, BIO *secret, const uint8_t *response, size_t length) {
  X509 *certificate = PEM_read_bio_X509_AUX(chain, NULL, no_password, NULL);
  EVP_PKEY *key = PEM_read_bio_PrivateKey(secret, NULL, no_password, NULL);
  int result = certificate != NULL && key != NULL && SSL_CTX_use_certificate(context->ssl, certificate) == 1 &&
               add_chain(context->ssl, chain) && SSL_CTX_use_PrivateKey(context->ssl, key) == 1 &&
               SSL_CTX_check_private_key(context->ssl) == 1;
  if (result && length > 0 && context->staple_count < MAX_STAPLES) {
    struct staple *each = &context->staples[context->staple_count];
    each->response = malloc(length);
    if (each->response != NULL) {
      memcpy(each->response, response, length);
      each->length = length;
      each->certificate = certificate;
      X509_up_ref(certificate);
      context->staple_count++;
    }
  }
  EVP_PKEY_free(key);
  X509_free(certificate);
  return result;
}

/* addCertificate(context, chainPem, keyPem, ocspResponse) -> 0 | -1. One for each type of key. */
static napi_value add_certificate(napi_env env, napi_callback_info info) {
  napi_value argument[4] = {NULL};
  struct tls *tls = this_tls(env, info, argument, 4);
  struct context *context = context_at(tls, env, argument[0]);
  if (context == NULL) return make_int(env, -EBADF);
  ERR_clear_error();
  BIO *chain = bio_of(env, argument[1]), *secret = bio_of(env, argument[2]);
  size_t length;
  const uint8_t *response = read_bytes(env, argument[3], &length);
  const int result = chain != NULL && secret != NULL && use_certificate(context, chain, secret, response, length);
  BIO_free(chain);
  BIO_free(secret);
  return make_int(env, result ? 0 : -1);
}

/* setVersions(context, minimum, maximum): 0x0303, 0x0304 */
static napi_value set_versions(napi_env env, napi_callback_info info) {
  napi_value argument[3] = {NULL};
  struct tls *tls = this_tls(env, info, argument, 3);
  struct context *context = context_at(tls, env, argument[0]);
  if (context == NULL) return make_int(env, -EBADF);
  ERR_clear_error();
  const int result = SSL_CTX_set_min_proto_version(context->ssl, read_int(env, argument[1])) &&
                     SSL_CTX_set_max_proto_version(context->ssl, read_int(env, argument[2]));
  return make_int(env, result ? 0 : -1);
}

enum { LIST_BYTES = 2048 };

/* setCiphers(context, ciphers, suites, groups): OpenSSL's lists; "" leaves its default. */
static napi_value set_ciphers(napi_env env, napi_callback_info info) {
  napi_value argument[4] = {NULL};
  struct tls *tls = this_tls(env, info, argument, 4);
  struct context *context = context_at(tls, env, argument[0]);
  if (context == NULL) return make_int(env, -EBADF);
  ERR_clear_error();
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
  struct tls *tls = this_tls(env, info, argument, 2);
  struct context *context = context_at(tls, env, argument[0]);
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

static int add_authorities(struct context *context, BIO *source) {
  X509_STORE *store = SSL_CTX_get_cert_store(context->ssl);
  int count = 0;
  for (X509 *next; (next = PEM_read_bio_X509(source, NULL, no_password, NULL)) != NULL; count++) {
    X509_STORE_add_cert(store, next);
    if (context->is_server) SSL_CTX_add_client_CA(context->ssl, next);
    X509_free(next);
  }
  if (count > 0) ERR_clear_error();
  return count > 0;
}

/* setTrust(context, authoritiesPem, mode): 0 nothing is verified, 1 a certificate that is given, 2 one is required */
static napi_value set_trust(napi_env env, napi_callback_info info) {
  napi_value argument[3] = {NULL};
  struct tls *tls = this_tls(env, info, argument, 3);
  struct context *context = context_at(tls, env, argument[0]);
  if (context == NULL) return make_int(env, -EBADF);
  ERR_clear_error();
  const int mode = read_int(env, argument[2]);
  BIO *source = bio_of(env, argument[1]);
  const int result = source == NULL || add_authorities(context, source);
  BIO_free(source);
  SSL_CTX_set_verify(context->ssl, mode == 0 ? SSL_VERIFY_NONE : mode == 1 ? SSL_VERIFY_PEER : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  return make_int(env, result ? 0 : -1);
}

/* setServer(context, usesTickets, wantsHello) */
static napi_value set_server(napi_env env, napi_callback_info info) {
  napi_value argument[3] = {NULL};
  struct tls *tls = this_tls(env, info, argument, 3);
  struct context *context = context_at(tls, env, argument[0]);
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

/* addSeat() -> seat | -errno: where a client keeps its last session with one server */
static napi_value add_seat(napi_env env, napi_callback_info info) {
  struct tls *tls = this_tls(env, info, NULL, 0);
  SSL_SESSION **seat = calloc(1, sizeof *seat);
  return make_int(env, seat == NULL ? -ENOMEM : table_add(&tls->seats, seat));
}

static napi_value remove_seat(napi_env env, napi_callback_info info) {
  napi_value argument[1] = {NULL};
  struct tls *tls = this_tls(env, info, argument, 1);
  SSL_SESSION **seat = table_at(&tls->seats, read_int(env, argument[0]));
  if (seat == NULL) return make_int(env, -EBADF);
  /* Its number is not given away again: a connection that goes on must not leave its session to another server. */
  tls->seats.items[read_int(env, argument[0])] = NULL;
  SSL_SESSION_free(*seat);
  free(seat);
  return make_int(env, 0);
}

const struct method tls_context_methods[] = {
    {"openContext", open_context},   {"closeContext", close_context}, {"addCertificate", add_certificate},
    {"setVersions", set_versions},   {"setCiphers", set_ciphers},     {"setProtocols", set_protocols},
    {"setTrust", set_trust},         {"setServer", set_server},       {"reason", reason},
    {"addSeat", add_seat},           {"removeSeat", remove_seat},
};
const size_t tls_context_method_count = sizeof tls_context_methods / sizeof tls_context_methods[0];
