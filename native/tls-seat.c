/* Seats: where a client keeps its last session with each server, so that the next connection resumes it. */
#include "tls.h"

#include <errno.h>
#include <stdlib.h>

/* Keeps a copy: the connection's own is spoilt if that is cut off. */
int keep_session(SSL *ssl, SSL_SESSION *made) {
  const struct session *session = SSL_get_ex_data(ssl, owner_index());
  SSL_SESSION **seat = session == NULL ? NULL : table_at(&session->tls->seats, session->seat);
  SSL_SESSION *copy = seat == NULL ? NULL : SSL_SESSION_dup(made);
  if (copy == NULL) return 0;
  SSL_SESSION_free(*seat);
  *seat = copy;
  return 0;
}

/* A copy, because OpenSSL spoils what it was given once it has resumed it, and a server need not send another ticket. */
void resume_session(struct session *session) {
  SSL_SESSION **seat = table_at(&session->tls->seats, session->seat);
  SSL_SESSION *copy = seat == NULL || *seat == NULL ? NULL : SSL_SESSION_dup(*seat);
  if (copy != NULL) SSL_set_session(session->ssl, copy);
  SSL_SESSION_free(copy);
}

void free_seat(SSL_SESSION **seat) {
  SSL_SESSION_free(*seat);
  free(seat);
}

/* addSeat() -> seat | -errno */
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
  free_seat(seat);
  return make_int(env, 0);
}

const struct method tls_seat_methods[] = {{"addSeat", add_seat}, {"removeSeat", remove_seat}};
const size_t tls_seat_method_count = sizeof tls_seat_methods / sizeof tls_seat_methods[0];
