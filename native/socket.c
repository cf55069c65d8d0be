/* Sockets, as the system calls are. Addresses are struct sockaddr in a Uint8Array of at least ADDRESS_BYTES. */
#include "addon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ADDRESS_BYTES = sizeof(struct sockaddr_storage), HOST_BYTES = INET6_ADDRSTRLEN + IF_NAMESIZE + 1 };

static struct sockaddr *read_address(napi_env env, napi_value value, socklen_t *length) {
  size_t size;
  uint8_t *bytes = read_bytes(env, value, &size);
  *length = size < ADDRESS_BYTES ? 0 : ADDRESS_BYTES;
  return *length == 0 ? NULL : (struct sockaddr *)bytes;
}

/* socket(domain, type, protocol) -> fd | -errno */
static napi_value make_socket(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 3);
  const int type = read_int(env, argument[1]) | SOCK_CLOEXEC;
  return make_int(env, result_of(socket(read_int(env, argument[0]), type, read_int(env, argument[2]))));
}

/* bind(fd, address, length) -> 0 | -errno */
static napi_value bind_socket(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 3);
  socklen_t size;
  struct sockaddr *address = read_address(env, argument[1], &size);
  const socklen_t length = (socklen_t)read_int(env, argument[2]);
  if (length > size) return make_int(env, -EINVAL);
  return make_int(env, result_of(bind(read_int(env, argument[0]), address, length)));
}

/* listen(fd, backlog) -> 0 | -errno */
static napi_value listen_socket(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 2);
  return make_int(env, result_of(listen(read_int(env, argument[0]), read_int(env, argument[1]))));
}

/* accept(fd) -> fd | -errno. Makes the listener non-blocking, so that an empty queue is -EAGAIN. */
static napi_value accept_socket(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 1);
  const int fd = read_int(env, argument[0]);
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return make_int(env, -errno);
  return make_int(env, result_of(accept4(fd, NULL, NULL, SOCK_CLOEXEC)));
}

/* setOption(fd, level, name, value) -> 0 | -errno */
static napi_value set_option(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 4);
  const int value = read_int(env, argument[3]);
  const int level = read_int(env, argument[1]), name = read_int(env, argument[2]);
  return make_int(env, result_of(setsockopt(read_int(env, argument[0]), level, name, &value, sizeof value)));
}

/* getOption(fd, level, name) -> value | -errno */
static napi_value get_option(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 3);
  int value = 0;
  socklen_t length = sizeof value;
  const int result = getsockopt(read_int(env, argument[0]), read_int(env, argument[1]), read_int(env, argument[2]), &value, &length);
  return make_int(env, result < 0 ? -errno : value);
}

/* setLinger(fd, seconds) -> 0 | -errno; with 0 seconds close() sends RST */
static napi_value set_linger(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 2);
  const struct linger linger = {.l_onoff = 1, .l_linger = read_int(env, argument[1])};
  return make_int(env, result_of(setsockopt(read_int(env, argument[0]), SOL_SOCKET, SO_LINGER, &linger, sizeof linger)));
}

/* localAddress(fd, address) and peerAddress(fd, address) -> length | -errno */
static napi_value local_address(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 2);
  socklen_t length;
  struct sockaddr *address = read_address(env, argument[1], &length);
  const int result = getsockname(read_int(env, argument[0]), address, &length);
  return make_int(env, result < 0 ? -errno : (int)length);
}

static napi_value peer_address(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 2);
  socklen_t length;
  struct sockaddr *address = read_address(env, argument[1], &length);
  const int result = getpeername(read_int(env, argument[0]), address, &length);
  return make_int(env, result < 0 ? -errno : (int)length);
}

/* shutdown(fd, how) -> 0 | -errno */
static napi_value shutdown_socket(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 2);
  return make_int(env, result_of(shutdown(read_int(env, argument[0]), read_int(env, argument[1]))));
}

/* close(fd) -> 0 | -errno */
static napi_value close_socket(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 1);
  return make_int(env, result_of(close(read_int(env, argument[0]))));
}

/* "fe80::1%eth0" has its zone split off into *scope. */
static int parse_ipv6(char *host, struct in6_addr *out, uint32_t *scope) {
  char *zone = strchr(host, '%');
  if (zone != NULL) {
    *zone++ = 0;
    *scope = if_nametoindex(zone);
    if (*scope == 0) return -ENODEV;
  }
  return inet_pton(AF_INET6, host, out) == 1 ? 0 : -EINVAL;
}

/* packAddress(address, family 4 | 6, host, port) -> length | -errno */
static napi_value pack_address(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 4);
  socklen_t size;
  struct sockaddr *address = read_address(env, argument[0], &size);
  if (address == NULL) return make_int(env, -EINVAL);
  char host[HOST_BYTES];
  read_string(env, argument[2], host, sizeof host);
  const uint16_t port = htons((uint16_t)read_int(env, argument[3]));
  memset(address, 0, ADDRESS_BYTES);
  if (read_int(env, argument[1]) == 4) {
    struct sockaddr_in *four = (struct sockaddr_in *)address;
    four->sin_family = AF_INET;
    four->sin_port = port;
    return make_int(env, inet_pton(AF_INET, host, &four->sin_addr) == 1 ? (int)sizeof *four : -EINVAL);
  }
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
  six->sin6_family = AF_INET6;
  six->sin6_port = port;
  const int result = parse_ipv6(host, &six->sin6_addr, &six->sin6_scope_id);
  return make_int(env, result < 0 ? result : (int)sizeof *six);
}

/* packPath(address, path) -> length | -errno; a path that begins with "@" is abstract */
static napi_value pack_path(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 2);
  socklen_t size;
  struct sockaddr_un *address = (struct sockaddr_un *)read_address(env, argument[0], &size);
  if (address == NULL) return make_int(env, -EINVAL);
  char path[sizeof address->sun_path + 1];
  const size_t length = read_string(env, argument[1], path, sizeof path);
  if (length == 0 || length >= sizeof address->sun_path) return make_int(env, -ENAMETOOLONG);
  memset(address, 0, ADDRESS_BYTES);
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path, length);
  const int abstract = path[0] == '@';
  if (abstract) address->sun_path[0] = 0;
  return make_int(env, (int)(offsetof(struct sockaddr_un, sun_path) + length + (abstract ? 0 : 1)));
}

static napi_value unpack_path(napi_env env, const struct sockaddr_un *address, socklen_t length) {
  const size_t offset = offsetof(struct sockaddr_un, sun_path);
  if (length <= offset) return make_string(env, "", 0);
  char path[sizeof address->sun_path + 1];
  size_t size = length - offset;
  if (size > sizeof address->sun_path) size = sizeof address->sun_path;
  memcpy(path, address->sun_path, size);
  path[size] = 0;
  if (path[0] != 0) return make_string(env, path, strlen(path));
  path[0] = '@';
  return make_string(env, path, size);
}

static napi_value make_endpoint(napi_env env, int family, const char *host, uint16_t port) {
  napi_value out = NULL;
  napi_create_object(env, &out);
  set_property(env, out, "family", make_int(env, family));
  set_property(env, out, "host", make_string(env, host, NAPI_AUTO_LENGTH));
  set_property(env, out, "port", make_int(env, ntohs(port)));
  return out;
}

/* unpackAddress(address, length) -> { family, host, port } | path | -errno */
static napi_value unpack_address(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 2);
  socklen_t size;
  struct sockaddr *address = read_address(env, argument[0], &size);
  if (address == NULL) return make_int(env, -EINVAL);
  const socklen_t length = (socklen_t)read_int(env, argument[1]);
  char host[HOST_BYTES];
  switch (address->sa_family) {
    case AF_INET: {
      const struct sockaddr_in *four = (struct sockaddr_in *)address;
      inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
      return make_endpoint(env, 4, host, four->sin_port);
    }
    case AF_INET6: {
      const struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
      inet_ntop(AF_INET6, &six->sin6_addr, host, INET6_ADDRSTRLEN);
      char zone[IF_NAMESIZE];
      if (six->sin6_scope_id != 0 && if_indextoname(six->sin6_scope_id, zone) != NULL) {
        const size_t at = strlen(host);
        snprintf(host + at, sizeof host - at, "%%%s", zone);
      }
      return make_endpoint(env, 6, host, six->sin6_port);
    }
    case AF_UNIX:
      return unpack_path(env, (struct sockaddr_un *)address, length);
    default:
      return make_int(env, -EAFNOSUPPORT);
  }
}

void register_socket(napi_env env, napi_value exports) {
  static const struct method methods[] = {
      {"socket", make_socket},
      {"bind", bind_socket},
      {"listen", listen_socket},
      {"accept", accept_socket},
      {"setOption", set_option},
      {"getOption", get_option},
      {"setLinger", set_linger},
      {"localAddress", local_address},
      {"peerAddress", peer_address},
      {"shutdown", shutdown_socket},
      {"close", close_socket},
      {"packAddress", pack_address},
      {"packPath", pack_path},
      {"unpackAddress", unpack_address},
  };
  DEFINE_METHODS(env, exports, methods);
}
