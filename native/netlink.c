/* Netlink sockets. Messages are written and read by src/kernel/netlink. */
#include "addon.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ANSWER_WITHIN_SECONDS = 5 };

/* netlinkOpen(protocol): a bound socket with extended acknowledgements; its receive gives up after five seconds. */
static napi_value netlink_open(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 1);
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, read_int(env, argument[0]));
  if (fd < 0) return make_int(env, result_of(fd));
  int one = 1;
  struct timeval patience = {.tv_sec = ANSWER_WITHIN_SECONDS};
  struct sockaddr_nl address = {.nl_family = AF_NETLINK};
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof one);
  setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0) return make_int(env, fd);
  int32_t failure = -errno;
  close(fd);
  return make_int(env, failure);
}

/* netlinkSend(fd, bytes): sends whole messages to the kernel. */
static napi_value netlink_send(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 2);
  size_t length;
  uint8_t *bytes = read_bytes(env, argument[1], &length);
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  return make_int(env, result_of(sendto(read_int(env, argument[0]), bytes, length, 0, (struct sockaddr *)&kernel, sizeof kernel)));
}

/* netlinkReceive(fd, bytes): one datagram from the kernel; its real length, also when it did not fit. Others' are refused with -EPERM. */
static napi_value netlink_receive(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 2);
  size_t length;
  uint8_t *bytes = read_bytes(env, argument[1], &length);
  struct sockaddr_nl sender = {0};
  socklen_t sender_length = sizeof sender;
  long received = recvfrom(read_int(env, argument[0]), bytes, length, MSG_TRUNC, (struct sockaddr *)&sender, &sender_length);
  if (received >= 0 && sender.nl_pid != 0) return make_int(env, -EPERM);
  return make_int(env, result_of(received));
}

/* netlinkClose(fd). */
static napi_value netlink_close(napi_env env, napi_callback_info info) {
  ARGUMENTS(env, info, 1);
  return make_int(env, result_of(close(read_int(env, argument[0]))));
}

void register_netlink(napi_env env, napi_value exports) {
  static const struct method methods[] = {
    {"netlinkOpen", netlink_open}, {"netlinkSend", netlink_send}, {"netlinkReceive", netlink_receive}, {"netlinkClose", netlink_close}};
  DEFINE_METHODS(env, exports, methods);
}
