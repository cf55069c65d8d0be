/*
 * TLS by the OpenSSL that Node exports. Everything belongs to one thread's `struct tls`; contexts, sessions and seats are numbers
 * in its tables. No policy: which certificate, which name, what to do about a failure is decided by src/engine.
 *
 *   arena ──receive()──▶ BIO ──▶ SSL ──▶ arena (plaintext)          arena (plaintext) ──send()──▶ SSL ──▶ BIO ──▶ arena
 *
 * The BIO reads from and writes to the arena itself, within one call. What finds no room there waits in the session's overflow.
 */
#ifndef EVENER_TLS_H
#define EVENER_TLS_H

#include "addon.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

enum { FAILURE_BYTES = 160, MAX_STAPLES = 8, TICKET_SLOTS = 4, TICKET_KEY_BYTES = 80, TICKET_KEYS_AT = 64 };
/* Two records of this length, with all that any cipher adds, fill a block of 32 KiB. */
enum { RECORD_BYTES = 16288, RECORD_ADDS = 96 };

struct staple {
  X509 *certificate;
  uint8_t *response;
  size_t length;
};

struct context {
  SSL_CTX *ssl;
  struct tls *tls;
  int is_server;
  uint8_t *protocols; /* ALPN's wire format */
  unsigned protocols_length;
  struct staple staples[MAX_STAPLES];
  unsigned staple_count;
  int wants_hello;
  int uses_tickets;
};

struct session {
  SSL *ssl;
  const uint8_t *in;
  size_t in_left;
  uint8_t *out;
  size_t out_left;
  uint8_t *overflow;
  size_t overflow_length;
  size_t overflow_size;
  uint8_t *hello; /* the ClientHello, until its owner has seen it */
  size_t hello_length;
  int32_t seat;
  int is_done;
  int has_asked;
  struct tls *tls;
  char failure[FAILURE_BYTES];
};

/* A table of pointers whose free places are used again. */
struct table {
  void **items;
  uint32_t size;
  uint32_t used;
  int32_t *free;
  uint32_t free_count;
};

struct tls {
  uint8_t *arena;
  size_t arena_length;
  int32_t *results;
  size_t result_count;
  uint8_t *ticket_keys;
  napi_ref held[3];
  struct table contexts;
  struct table sessions;
  struct table seats; /* SSL_SESSION of the last connection to a server */
  BIO_METHOD *bio;
  EVP_CIPHER *ticket_cipher;
  uint8_t gathered[RECORD_BYTES];
};

int32_t table_add(struct table *table, void *item);
void *table_at(const struct table *table, int32_t index);
void table_remove(struct table *table, int32_t index);

/* The arguments of a call, and the thread's TLS; or what its first argument names, NULL where there is none. */
struct tls *this_tls(napi_env env, napi_callback_info info, napi_value *argument, size_t count);
/* Forgets OpenSSL's errors of before besides. */
struct context *this_context(napi_env env, napi_callback_info info, napi_value *argument, size_t count);
struct session *this_session(napi_env env, napi_callback_info info, napi_value *argument, size_t count);
/* The index under which SSL and SSL_CTX keep their struct session and struct context. */
int owner_index(void);
int context_index(void);
void free_context(struct context *context);
void free_session(struct session *session);
void free_seat(SSL_SESSION **seat);
BIO_METHOD *make_bio_method(void);
/* Moves at most `room` bytes of what found no room in the arena, and returns how many. */
size_t take_overflow(struct session *session, uint8_t *out, size_t room);
/* Puts what can be resumed into the session's seat; and begins with what is there. */
int keep_session(SSL *ssl, SSL_SESSION *made);
void resume_session(struct session *session);
/* Called by OpenSSL for a context; tls-callbacks.c. */
void set_server_callbacks(struct context *context);

extern const struct method tls_context_methods[], tls_certificate_methods[], tls_session_methods[], tls_stream_methods[], tls_seat_methods[];
extern const size_t tls_context_method_count, tls_certificate_method_count, tls_session_method_count, tls_stream_method_count, tls_seat_method_count;

#endif
