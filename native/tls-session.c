/* Sessions: one SSL each, from its making to what it tells of its peer. tls-stream.c has what drives them. */
#include "tls.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_BYTES = 256, SUBJECT_BYTES = 1024 };

void free_session(struct session *session) {
  /* Else OpenSSL takes a session whose connection was cut off for one that must not be resumed. */
  if (session->ssl != NULL && session->failure[0] == 0) SSL_set_shutdown(session->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(session->ssl);
  free(session->overflow);
  free(session->hello);
  free(session);
}

struct session *this_session(napi_env env, napi_callback_info info, napi_value *argument, size_t count) {
  const struct tls *tls = this_tls(env, info, argument, count);
  return table_at(&tls->sessions, read_int(env, argument[0]));
}

/* Keeps the first message of a server's handshake, which is the ClientHello. */
static void keep_hello(int is_sent, int version, int type, const void *data, size_t length, SSL *ssl, void *argument) {
  (void)version;
  (void)ssl;
  struct session *session = argument;
  if (is_sent || type != SSL3_RT_HANDSHAKE || length < 4 || ((const uint8_t *)data)[0] != SSL3_MT_CLIENT_HELLO || session->hello != NULL) return;
  session->hello = malloc(length);
  if (session->hello == NULL) return;
  memcpy(session->hello, data, length);
  session->hello_length = length;
}

static struct session *make_session(struct tls *tls, const struct context *context) {
  struct session *session = calloc(1, sizeof *session);
  if (session == NULL) return NULL;
  session->tls = tls;
  session->seat = -1;
  session->ssl = SSL_new(context->ssl);
  BIO *bio = session->ssl == NULL ? NULL : BIO_new(tls->bio);
  if (bio == NULL) {
    free_session(session);
    return NULL;
  }
  BIO_set_data(bio, session);
  BIO_set_init(bio, 1);
  SSL_set_bio(session->ssl, bio, bio);
  SSL_set_ex_data(session->ssl, owner_index(), session);
  if (!context->is_server) SSL_set_connect_state(session->ssl);
  else {
    SSL_set_accept_state(session->ssl);
    if (context->wants_hello) {
      SSL_set_msg_callback(session->ssl, keep_hello);
      SSL_set_msg_callback_arg(session->ssl, session);
    }
  }
  return session;
}

static void expect_name(SSL *ssl, const char *name) {
  X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1) return;
  ERR_clear_error();
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  X509_VERIFY_PARAM_set1_host(param, name, 0);
}

/* open(context, serverName, expectedName, seat) -> session | -errno. The last three are a client's; "" and -1 for none. */
static napi_value open_session(napi_env env, napi_callback_info info) {
  napi_value argument[4] = {NULL};
  const struct context *context = this_context(env, info, argument, 4);
  if (context == NULL) return make_int(env, -EBADF);
  struct tls *tls = context->tls;
  struct session *session = make_session(tls, context);
  if (session == NULL) return make_int(env, -ENOMEM);
  if (!context->is_server) {
    char name[HOST_BYTES];
    if (read_string(env, argument[1], name, sizeof name) > 0) SSL_set_tlsext_host_name(session->ssl, name);
    if (read_string(env, argument[2], name, sizeof name) > 0) expect_name(session->ssl, name);
    session->seat = read_int(env, argument[3]);
    resume_session(session);
  }
  const int32_t index = table_add(&tls->sessions, session);
  if (index < 0) free_session(session);
  return make_int(env, index);
}

static napi_value close_session(napi_env env, napi_callback_info info) {
  napi_value argument[1] = {NULL};
  struct session *session = this_session(env, info, argument, 1);
  if (session == NULL) return make_int(env, -EBADF);
  table_remove(&session->tls->sessions, read_int(env, argument[0]));
  free_session(session);
  return make_int(env, 0);
}

/* useContext(session, context) -> 0 | -errno, while receive() has said HELLO */
static napi_value use_context(napi_env env, napi_callback_info info) {
  napi_value argument[2] = {NULL};
  struct session *session = this_session(env, info, argument, 2);
  const struct context *context = session == NULL ? NULL : table_at(&session->tls->contexts, read_int(env, argument[1]));
  if (context == NULL) return make_int(env, -EBADF);
  if (SSL_set_SSL_CTX(session->ssl, context->ssl) == NULL) return make_int(env, -ENOMEM);
  /* OpenSSL leaves that as it was, and the answer to an authority asks for no certificate. */
  SSL_set_verify(session->ssl, SSL_CTX_get_verify_mode(context->ssl), NULL);
  return make_int(env, 0);
}

/* hello(session) -> Uint8Array: the ClientHello, with its four bytes of type and length; it is forgotten by this */
static napi_value take_hello(napi_env env, napi_callback_info info) {
  napi_value argument[1] = {NULL};
  struct session *session = this_session(env, info, argument, 1);
  napi_value buffer = NULL, out = NULL;
  void *bytes = NULL;
  const size_t length = session == NULL ? 0 : session->hello_length;
  if (napi_create_arraybuffer(env, length, &bytes, &buffer) != napi_ok) return make_int(env, -ENOMEM);
  if (length > 0) memcpy(bytes, session->hello, length);
  napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &out);
  if (session == NULL) return out;
  free(session->hello);
  session->hello = NULL;
  session->hello_length = 0;
  return out;
}

static void set_text(napi_env env, napi_value object, const char *name, const char *text) {
  set_property(env, object, name, make_string(env, text == NULL ? "" : text, NAPI_AUTO_LENGTH));
}

static void set_subject(napi_env env, napi_value object, SSL *ssl) {
  X509 *peer = SSL_get0_peer_certificate(ssl);
  BIO *bio = peer == NULL ? NULL : BIO_new(BIO_s_mem());
  char text[SUBJECT_BYTES] = "";
  if (bio != NULL && X509_NAME_print_ex(bio, X509_get_subject_name(peer), 0, XN_FLAG_RFC2253) >= 0) {
    const int length = BIO_read(bio, text, sizeof text - 1);
    text[length < 0 ? 0 : length] = 0;
  }
  BIO_free(bio);
  set_text(env, object, "peerSubject", text);
}

/* info(session) -> NativeTlsInfo (src/kernel/tls.ts): what the handshake agreed on */
static napi_value session_info(napi_env env, napi_callback_info info) {
  napi_value argument[1] = {NULL};
  struct session *session = this_session(env, info, argument, 1);
  napi_value object = NULL;
  napi_create_object(env, &object);
  if (session == NULL) return object;
  SSL *ssl = session->ssl;
  const unsigned char *protocol = NULL;
  unsigned length = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &length);
  set_text(env, object, "version", SSL_get_version(ssl));
  set_text(env, object, "cipher", SSL_get_cipher_name(ssl));
  set_text(env, object, "group", SSL_get0_group_name(ssl));
  set_text(env, object, "serverName", SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
  set_property(env, object, "protocol", make_string(env, protocol == NULL ? "" : (const char *)protocol, length));
  set_property(env, object, "isResumed", make_int(env, SSL_session_reused(ssl)));
  set_subject(env, object, ssl);
  return object;
}

/* failure(session) -> text: why receive() said FAILED */
static napi_value session_failure(napi_env env, napi_callback_info info) {
  napi_value argument[1] = {NULL};
  const struct session *session = this_session(env, info, argument, 1);
  return make_string(env, session == NULL ? "" : session->failure, NAPI_AUTO_LENGTH);
}

const struct method tls_session_methods[] = {
    {"open", open_session}, {"close", close_session}, {"useContext", use_context},
    {"hello", take_hello},  {"info", session_info},   {"failure", session_failure},
};
const size_t tls_session_method_count = sizeof tls_session_methods / sizeof tls_session_methods[0];
