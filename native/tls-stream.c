/* Bytes through a session: what arrives is shaken hands with or decrypted, what is to be sent encrypted. Offsets are into the arena. */
#include "tls.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/types.h>

/* Words of the results. The slices that send() takes begin at SLICES: start, end, start, end, ... */
enum { PLAIN_BYTES, OUT_BYTES, OVERFLOW_BYTES, IN_LEFT, SLICES = 16 };
/* Bits that receive() returns. */
enum { DONE = 1, HELLO = 2, ENDED = 4, FAILED = 8, MORE = 16, PARTIAL = 32 };

static void describe_failure(struct session *session) {
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

/* A part of the arena that is written to; 0 where it is none. */
static int begin_output(struct session *session, int32_t start, int32_t end) {
  if (!in_arena(session->tls, start, end)) return 0;
  session->out = session->tls->arena + start;
  session->out_left = (size_t)(end - start);
  return 1;
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
 * much as there is room for. After DONE, HELLO and MORE it is called again with what IN_LEFT says is left of the ciphertext. A client
 * begins with no ciphertext.
 */
static napi_value receive(napi_env env, napi_callback_info info) {
  napi_value argument[7] = {NULL};
  struct session *session = this_session(env, info, argument, 7);
  if (session == NULL) return make_int(env, -EBADF);
  struct tls *tls = session->tls;
  const int32_t start = read_int(env, argument[1]), end = read_int(env, argument[2]);
  const int32_t plain = read_int(env, argument[3]), plain_end = read_int(env, argument[4]);
  const int32_t out = read_int(env, argument[5]);
  if (!in_arena(tls, start, end) || !in_arena(tls, plain, plain_end)) return make_int(env, -EINVAL);
  if (!begin_output(session, out, read_int(env, argument[6]))) return make_int(env, -EINVAL);
  ERR_clear_error();
  session->in = tls->arena + start;
  session->in_left = (size_t)(end - start);
  size_t taken = 0;
  const int bits = session->is_done ? read_plain(session, tls->arena + plain, (size_t)(plain_end - plain), &taken) : shake_hands(session);
  end_output(session, out);
  tls->results[PLAIN_BYTES] = (int32_t)taken;
  tls->results[IN_LEFT] = (int32_t)session->in_left;
  session->in_left = 0;
  return make_int(env, bits);
}

/* The slices that are to be sent: pairs of start and end, and how far they have been taken. */
struct source {
  const int32_t *slices;
  size_t index;
  int32_t offset;
};

static void advance(struct source *source, int32_t count) {
  source->offset += count;
  if (source->slices[2 * source->index] + source->offset < source->slices[2 * source->index + 1]) return;
  source->index++;
  source->offset = 0;
}

/* The next `wanted` bytes in one piece: where they are, or copied together. */
static const uint8_t *next_record(struct tls *tls, struct source *source, size_t wanted) {
  for (size_t length = 0;;) {
    const int32_t start = source->slices[2 * source->index] + source->offset;
    const size_t left = (size_t)(source->slices[2 * source->index + 1] - start);
    const size_t run = left < wanted - length ? left : wanted - length;
    advance(source, (int32_t)run);
    if (run == wanted) return tls->arena + start;
    memcpy(tls->gathered + length, tls->arena + start, run);
    length += run;
    if (length == wanted) return tls->gathered;
  }
}

/* Bytes of the slices together, or -1 where one of them is not in the arena. */
static ssize_t length_of(const struct tls *tls, const int32_t *slices, size_t count) {
  size_t length = 0;
  if (count > (tls->result_count - SLICES) / 2) return -1;
  for (size_t i = 0; i < count; i++) {
    if (!in_arena(tls, slices[2 * i], slices[2 * i + 1])) return -1;
    length += (size_t)(slices[2 * i + 1] - slices[2 * i]);
  }
  return (ssize_t)length;
}

/*
 * send(session, count, outStart, outEnd) -> bytes of the slices that were taken | -1. Short slices share a record, so that a response's
 * head goes with its body.
 */
static napi_value send_slices(napi_env env, napi_callback_info info) {
  napi_value argument[4] = {NULL};
  struct session *session = this_session(env, info, argument, 4);
  if (session == NULL) return make_int(env, -EBADF);
  struct tls *tls = session->tls;
  struct source source = {tls->results + SLICES, 0, 0};
  const int32_t out = read_int(env, argument[2]);
  const ssize_t length = length_of(tls, source.slices, (size_t)read_int(env, argument[1]));
  if (length < 0 || !begin_output(session, out, read_int(env, argument[3]))) return make_int(env, -EINVAL);
  ERR_clear_error();
  int32_t sent = 0;
  for (size_t left = (size_t)length; left > 0 && session->out_left > RECORD_ADDS;) {
    size_t record = left < RECORD_BYTES ? left : RECORD_BYTES;
    if (session->out_left - RECORD_ADDS < record) record = session->out_left - RECORD_ADDS;
    size_t written = 0;
    const int result = SSL_write_ex(session->ssl, next_record(tls, &source, record), record, &written);
    if (result != 1 || written != record) {
      outcome(session, result);
      sent = -1;
      break;
    }
    sent += (int32_t)record;
    left -= record;
  }
  end_output(session, out);
  return make_int(env, sent);
}

/* end(session, outStart, outEnd) -> 0 | -errno: close_notify */
static napi_value end_session(napi_env env, napi_callback_info info) {
  napi_value argument[3] = {NULL};
  struct session *session = this_session(env, info, argument, 3);
  if (session == NULL) return make_int(env, -EBADF);
  const int32_t out = read_int(env, argument[1]);
  if (!begin_output(session, out, read_int(env, argument[2]))) return make_int(env, -EINVAL);
  if (session->is_done) SSL_shutdown(session->ssl);
  ERR_clear_error();
  end_output(session, out);
  return make_int(env, 0);
}

/* take(session, outStart, outEnd) -> bytes of the overflow that were moved into the arena */
static napi_value take(napi_env env, napi_callback_info info) {
  napi_value argument[3] = {NULL};
  struct session *session = this_session(env, info, argument, 3);
  if (session == NULL) return make_int(env, -EBADF);
  const int32_t out = read_int(env, argument[1]), out_end = read_int(env, argument[2]);
  if (!in_arena(session->tls, out, out_end)) return make_int(env, -EINVAL);
  return make_int(env, (int32_t)take_overflow(session, session->tls->arena + out, (size_t)(out_end - out)));
}

const struct method tls_stream_methods[] = {{"receive", receive}, {"send", send_slices}, {"end", end_session}, {"take", take}};
const size_t tls_stream_method_count = sizeof tls_stream_methods / sizeof tls_stream_methods[0];
