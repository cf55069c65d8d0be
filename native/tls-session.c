/* Sessions: one SSL each, driven by what arrives and what is to be sent. Offsets are into the arena. */
#include "tls.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* Words of the results. The slices that send() takes begin at SLICES: start, end, start, end, ... */
enum { PLAIN_BYTES, OUT_BYTES, OVERFLOW_BYTES, IN_LEFT, HELLO_BYTES, SLICES = 16 };
/* Bits that receive() returns. */
enum { DONE = 1, HELLO = 2, ENDED = 4, FAILED = 8, MORE = 16, PARTIAL = 32 };

enum { MAX_OVERFLOW = 1 << 20, HOST_BYTES = 256, SUBJECT_BYTES = 1024 };

static int overflow(struct session *session, const char *data, int length) {
  const size_t wanted = session->overflow_length + (size_t)length;
  if (wanted > MAX_OVERFLOW) return 0;
  if (wanted > session->overflow_size) {
    const size_t size = wanted < 4096 ? 4096 : wanted * 2;
    uint8_t *grown = realloc(session->overflow, size);
    if (grown == NULL) return 0;
    session->overflow = grown;
    session->overflow_size = size;
  }
  memcpy(session->overflow + session->overflow_length, data, (size_t)length);
  session->overflow_length = wanted;
  return 1;
}

static int bio_write(BIO *bio, const char *data, int length) {
  struct session *session = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (session->overflow_length == 0 && session->out_left >= (size_t)length) {
    memcpy(session->out, data, (size_t)length);
    session->out += length;
    session->out_left -= (size_t)length;
    return length;
  }
  return overflow(session, data, length) ? length : -1;
}

static int bio_read(BIO *bio, char *out, int length) {
  struct session *session = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (session->in_left == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t count = session->in_left < (size_t)length ? session->in_left : (size_t)length;
  memcpy(out, session->in, count);
  session->in += count;
  session->in_left -= count;
  return (int)count;
}

static long bio_control(BIO *bio, int command, long number, void *pointer) {
  (void)bio;
  (void)number;
  (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *make_bio_method(void) {
  BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "arena");
  if (method == NULL) return NULL;
  BIO_meth_set_write(method, bio_write);
  BIO_meth_set_read(method, bio_read);
  BIO_meth_set_ctrl(method, bio_control);
  return method;
}

void free_session(struct session *session) {
  /* Else OpenSSL takes a session whose connection was cut off for one that must not be resumed. */
  if (session->ssl != NULL && session->failure[0] == 0) SSL_set_shutdown(session->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(session->ssl);
  free(session->overflow);
  free(session->hello);
  free(session);
}

static struct session *session_at(const struct tls *tls, napi_env env, napi_value value) {
  return table_at(&tls->sessions, read_int(env, value));
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
  struct tls *tls = this_tls(env, info, argument, 4);
  const struct context *context = table_at(&tls->contexts, read_int(env, argument[0]));
  if (context == NULL) return make_int(env, -EBADF);
  struct session *session = make_session(tls, context);
  if (session == NULL) return make_int(env, -ENOMEM);
  if (!context->is_server) {
    char name[HOST_BYTES];
    if (read_string(env, argument[1], name, sizeof name) > 0) SSL_set_tlsext_host_name(session->ssl, name);
    if (read_string(env, argument[2], name, sizeof name) > 0) expect_name(session->ssl, name);
    session->seat = read_int(env, argument[3]);
    SSL_SESSION **seat = table_at(&tls->seats, session->seat);
    /* A copy, because OpenSSL spoils what it was given once it has resumed it, and a server need not send another ticket. */
    SSL_SESSION *copy = seat == NULL || *seat == NULL ? NULL : SSL_SESSION_dup(*seat);
    if (copy != NULL) SSL_set_session(session->ssl, copy);
    SSL_SESSION_free(copy);
  }
  const int32_t index = table_add(&tls->sessions, session);
  if (index < 0) free_session(session);
  return make_int(env, index);
}

static napi_value close_session(napi_env env, napi_callback_info info) {
  napi_value argument[1] = {NULL};
  struct tls *tls = this_tls(env, info, argument, 1);
  struct session *session = session_at(tls, env, argument[0]);
  if (session == NULL) return make_int(env, -EBADF);
  table_remove(&tls->sessions, read_int(env, argument[0]));
  free_session(session);
  return make_int(env, 0);
}

/* useContext(session, context) -> 0 | -errno, while receive() has said HELLO */
static napi_value use_context(napi_env env, napi_callback_info info) {
  napi_value argument[2] = {NULL};
  struct tls *tls = this_tls(env, info, argument, 2);
  struct session *session = session_at(tls, env, argument[0]);
  const struct context *context = table_at(&tls->contexts, read_int(env, argument[1]));
  if (session == NULL || context == NULL) return make_int(env, -EBADF);
  return make_int(env, SSL_set_SSL_CTX(session->ssl, context->ssl) == NULL ? -ENOMEM : 0);
}

void describe_failure(struct session *session) {
  const long verified = SSL_get_verify_result(session->ssl);
  const unsigned long code = ERR_peek_error();
  const char *text = code == 0 ? NULL : ERR_reason_error_string(code);
  if (verified != X509_V_OK && !SSL_is_server(session->ssl)) text = X509_verify_cert_error_string(verified);
  strncpy(session->failure, text == NULL ? "protocol error" : text, FAILURE_BYTES - 1);
  ERR_clear_error();
}

/* What a result of OpenSSL other than success means. */
static int outcome(struct session *session, int result) {
  switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return 0;
    case SSL_ERROR_WANT_CLIENT_HELLO_CB:
      return HELLO;
    case SSL_ERROR_ZERO_RETURN:
      return ENDED;
    default:
      describe_failure(session);
      return FAILED;
  }
}

static int in_arena(const struct tls *tls, int32_t start, int32_t end) {
  return start >= 0 && start <= end && (size_t)end <= tls->arena_length;
}

static void begin_output(struct session *session, int32_t start, int32_t end) {
  session->out = session->tls->arena + start;
  session->out_left = (size_t)(end - start);
}

static void end_output(struct session *session, int32_t start) {
  struct tls *tls = session->tls;
  tls->results[OUT_BYTES] = (int32_t)(session->out - (tls->arena + start));
  tls->results[OVERFLOW_BYTES] = (int32_t)session->overflow_length;
  session->out_left = 0;
}

static int shake_hands(struct session *session) {
  const int result = SSL_do_handshake(session->ssl);
  if (result != 1) return outcome(session, result);
  session->is_done = 1;
  return DONE;
}

static int read_plain(struct session *session, uint8_t *out, size_t room, size_t *taken) {
  while (*taken < room) {
    size_t count = 0;
    const int result = SSL_read_ex(session->ssl, out + *taken, room - *taken, &count);
    if (result != 1) {
      const int said = outcome(session, result);
      return said == 0 && SSL_has_pending(session->ssl) ? PARTIAL : said;
    }
    *taken += count;
  }
  return session->in_left > 0 || SSL_has_pending(session->ssl) ? MORE : 0;
}

/*
 * receive(session, start, end, plainStart, plainEnd, outStart, outEnd) -> bits. Takes ciphertext, goes on with the handshake, decrypts as
 * much as there is room for. After DONE, HELLO and MORE it is called again with what IN_LEFT says is left of the ciphertext.
 */
static napi_value receive(napi_env env, napi_callback_info info) {
  napi_value argument[7] = {NULL};
  struct tls *tls = this_tls(env, info, argument, 7);
  struct session *session = session_at(tls, env, argument[0]);
  const int32_t start = read_int(env, argument[1]), end = read_int(env, argument[2]);
  const int32_t plain = read_int(env, argument[3]), plain_end = read_int(env, argument[4]);
  const int32_t out = read_int(env, argument[5]), out_end = read_int(env, argument[6]);
  if (session == NULL) return make_int(env, -EBADF);
  if (!in_arena(tls, start, end) || !in_arena(tls, plain, plain_end) || !in_arena(tls, out, out_end)) return make_int(env, -EINVAL);
  ERR_clear_error();
  session->in = tls->arena + start;
  session->in_left = (size_t)(end - start);
  begin_output(session, out, out_end);
  size_t taken = 0;
  const int bits = session->is_done ? read_plain(session, tls->arena + plain, (size_t)(plain_end - plain), &taken) : shake_hands(session);
  end_output(session, out);
  tls->results[PLAIN_BYTES] = (int32_t)taken;
  tls->results[IN_LEFT] = (int32_t)session->in_left;
  tls->results[HELLO_BYTES] = (int32_t)session->hello_length;
  session->in_left = 0;
  return make_int(env, bits);
}

/* Copies up to `wanted` bytes of the slices behind what was taken from them into one record. */
static void gather(struct tls *tls, const int32_t *slices, size_t *index, int32_t *offset, size_t wanted) {
  size_t length = 0;
  while (length < wanted) {
    const int32_t start = slices[2 * *index] + *offset, left = slices[2 * *index + 1] - start;
    const size_t run = (size_t)left < wanted - length ? (size_t)left : wanted - length;
    memcpy(tls->gathered + length, tls->arena + start, run);
    length += run;
    *offset += (int32_t)run;
    if ((int32_t)run == left) {
      ++*index;
      *offset = 0;
    }
  }
}

/*
 * send(session, count, outStart, outEnd) -> bytes of the slices that were taken | -1. Short slices share a record, so that a response's
 * head goes with its body.
 */
static napi_value send_slices(napi_env env, napi_callback_info info) {
  napi_value argument[4] = {NULL};
  struct tls *tls = this_tls(env, info, argument, 4);
  struct session *session = session_at(tls, env, argument[0]);
  const size_t count = (size_t)read_int(env, argument[1]);
  const int32_t out = read_int(env, argument[2]), out_end = read_int(env, argument[3]);
  const int32_t *slices = tls->results + SLICES;
  if (session == NULL || !in_arena(tls, out, out_end) || count > (tls->result_count - SLICES) / 2) return make_int(env, -EINVAL);
  size_t left = 0;
  for (size_t i = 0; i < count; i++) {
    if (!in_arena(tls, slices[2 * i], slices[2 * i + 1])) return make_int(env, -EINVAL);
    left += (size_t)(slices[2 * i + 1] - slices[2 * i]);
  }
  ERR_clear_error();
  begin_output(session, out, out_end);
  int32_t sent = 0, offset = 0, failed = 0;
  for (size_t index = 0; left > 0;) {
    size_t record = left < RECORD_BYTES ? left : RECORD_BYTES;
    if (session->out_left < RECORD_ADDS + 1) break;
    if (session->out_left - RECORD_ADDS < record) record = session->out_left - RECORD_ADDS;
    const int32_t start = slices[2 * index] + offset;
    const uint8_t *from = tls->arena + start;
    if ((size_t)(slices[2 * index + 1] - start) >= record) {
      offset += (int32_t)record;
      if (slices[2 * index] + offset == slices[2 * index + 1]) {
        index++;
        offset = 0;
      }
    } else {
      gather(tls, slices, &index, &offset, record);
      from = tls->gathered;
    }
    size_t written = 0;
    const int result = SSL_write_ex(session->ssl, from, record, &written);
    if (result != 1 || written != record) {
      failed = 1;
      outcome(session, result);
      break;
    }
    sent += (int32_t)record;
    left -= record;
  }
  end_output(session, out);
  return make_int(env, failed ? -1 : sent);
}

/* start(session, outStart, outEnd) -> bits: a client's first message */
static napi_value start_session(napi_env env, napi_callback_info info) {
  napi_value argument[3] = {NULL};
  struct tls *tls = this_tls(env, info, argument, 3);
  struct session *session = session_at(tls, env, argument[0]);
  const int32_t out = read_int(env, argument[1]), out_end = read_int(env, argument[2]);
  if (session == NULL || !in_arena(tls, out, out_end)) return make_int(env, -EINVAL);
  ERR_clear_error();
  begin_output(session, out, out_end);
  const int bits = shake_hands(session);
  end_output(session, out);
  return make_int(env, bits);
}

/* end(session, outStart, outEnd) -> 0 | -errno: close_notify */
static napi_value end_session(napi_env env, napi_callback_info info) {
  napi_value argument[3] = {NULL};
  struct tls *tls = this_tls(env, info, argument, 3);
  struct session *session = session_at(tls, env, argument[0]);
  const int32_t out = read_int(env, argument[1]), out_end = read_int(env, argument[2]);
  if (session == NULL || !in_arena(tls, out, out_end)) return make_int(env, -EINVAL);
  begin_output(session, out, out_end);
  if (session->is_done) SSL_shutdown(session->ssl);
  ERR_clear_error();
  end_output(session, out);
  return make_int(env, 0);
}

/* take(session, outStart, outEnd) -> bytes of the overflow that were moved into the arena */
static napi_value take_overflow(napi_env env, napi_callback_info info) {
  napi_value argument[3] = {NULL};
  struct tls *tls = this_tls(env, info, argument, 3);
  struct session *session = session_at(tls, env, argument[0]);
  const int32_t out = read_int(env, argument[1]), out_end = read_int(env, argument[2]);
  if (session == NULL || !in_arena(tls, out, out_end)) return make_int(env, -EINVAL);
  const size_t room = (size_t)(out_end - out);
  const size_t count = session->overflow_length < room ? session->overflow_length : room;
  memcpy(tls->arena + out, session->overflow, count);
  session->overflow_length -= count;
  memmove(session->overflow, session->overflow + count, session->overflow_length);
  if (session->overflow_length == 0) {
    free(session->overflow);
    session->overflow = NULL;
    session->overflow_size = 0;
  }
  return make_int(env, (int32_t)count);
}

/* hello(session) -> Uint8Array: the ClientHello, with its four bytes of type and length; it is forgotten by this */
static napi_value take_hello(napi_env env, napi_callback_info info) {
  napi_value argument[1] = {NULL};
  struct tls *tls = this_tls(env, info, argument, 1);
  struct session *session = session_at(tls, env, argument[0]);
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
  struct tls *tls = this_tls(env, info, argument, 1);
  struct session *session = session_at(tls, env, argument[0]);
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
  struct tls *tls = this_tls(env, info, argument, 1);
  const struct session *session = session_at(tls, env, argument[0]);
  return make_string(env, session == NULL ? "" : session->failure, NAPI_AUTO_LENGTH);
}

const struct method tls_session_methods[] = {
    {"open", open_session}, {"close", close_session}, {"useContext", use_context},   {"receive", receive},
    {"send", send_slices},  {"start", start_session}, {"end", end_session},          {"take", take_overflow},
    {"hello", take_hello},  {"info", session_info},   {"failure", session_failure},
};
const size_t tls_session_method_count = sizeof tls_session_methods / sizeof tls_session_methods[0];
