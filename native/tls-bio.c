/* The BIO of a session: ciphertext comes out of the arena and goes into it, and what finds no room there waits in the session's overflow. */
#include "tls.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_OVERFLOW = 1 << 20 };

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

size_t take_overflow(struct session *session, uint8_t *out, size_t room) {
  const size_t count = session->overflow_length < room ? session->overflow_length : room;
  memcpy(out, session->overflow, count);
  session->overflow_length -= count;
  memmove(session->overflow, session->overflow + count, session->overflow_length);
  if (session->overflow_length == 0) {
    free(session->overflow);
    session->overflow = NULL;
    session->overflow_size = 0;
  }
  return count;
}
