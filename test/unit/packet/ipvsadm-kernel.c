/*
 * Stands between ipvsadm and a kernel without IPVS: LD_PRELOADed, it answers what ipvsadm asks by generic netlink as a kernel with ip_vs
 * would, and writes each message to the file IPVSADM_MESSAGES, a line of hexadecimal digits behind the netlink header.
 */
#define _GNU_SOURCE
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { FAMILY = 0x1d, GET_INFO = 15, INFO_VERSION = 1, INFO_TABLE_SIZE = 2 };

static unsigned char answer[512];
static size_t answer_length, answer_at;

static void *append(size_t length) {
  void *at = answer + answer_length;
  memset(at, 0, NLMSG_ALIGN(length));
  answer_length += NLMSG_ALIGN(length);
  return at;
}

static void append_attribute(int type, const void *value, size_t length) {
  struct nlattr *attribute = append(NLA_HDRLEN + length);
  attribute->nla_type = type;
  attribute->nla_len = NLA_HDRLEN + length;
  memcpy((char *)attribute + NLA_HDRLEN, value, length);
}

static void answer_with(const struct nlmsghdr *asked, int command, int first_type, const void *first, size_t first_length, int second_type,
                        const void *second, size_t second_length) {
  struct nlmsghdr *header = append(NLMSG_HDRLEN + GENL_HDRLEN);
  *header = (struct nlmsghdr){.nlmsg_type = asked->nlmsg_type, .nlmsg_seq = asked->nlmsg_seq, .nlmsg_pid = asked->nlmsg_pid};
  ((struct genlmsghdr *)NLMSG_DATA(header))->cmd = command;
  append_attribute(first_type, first, first_length);
  append_attribute(second_type, second, second_length);
  header->nlmsg_len = answer + answer_length - (unsigned char *)header;
}

static void acknowledge(const struct nlmsghdr *asked) {
  struct nlmsghdr *header = append(NLMSG_LENGTH(sizeof(struct nlmsgerr)));
  *header = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(sizeof(struct nlmsgerr)), .nlmsg_type = NLMSG_ERROR,
                              .nlmsg_seq = asked->nlmsg_seq, .nlmsg_pid = asked->nlmsg_pid};
  ((struct nlmsgerr *)NLMSG_DATA(header))->msg = *asked;
}

static void note(const struct nlmsghdr *asked) {
  FILE *file = fopen(getenv("IPVSADM_MESSAGES"), "a");
  if (!file) abort();
  const unsigned char *bytes = (const unsigned char *)asked;
  for (size_t at = NLMSG_HDRLEN; at < asked->nlmsg_len; at++) fprintf(file, "%02x", bytes[at]);
  fputc('\n', file);
  fclose(file);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  const struct nlmsghdr *asked = message->msg_iov[0].iov_base;
  const struct genlmsghdr *generic = NLMSG_DATA(asked);
  unsigned short family = FAMILY;
  unsigned version = 0x10201, size = 4096;
  answer_length = answer_at = 0;
  if (asked->nlmsg_type == GENL_ID_CTRL) {
    answer_with(asked, CTRL_CMD_NEWFAMILY, CTRL_ATTR_FAMILY_ID, &family, 2, CTRL_ATTR_FAMILY_NAME, "IPVS", 5);
  } else if (generic->cmd == GET_INFO) {
    answer_with(asked, GET_INFO, INFO_VERSION, &version, 4, INFO_TABLE_SIZE, &size, 4);
  } else {
    note(asked);
  }
  acknowledge(asked);
  return asked->nlmsg_len;
}

/* One message for each call, as the kernel does. */
ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
  if (answer_at == answer_length) return 0;
  const struct nlmsghdr *next = (void *)(answer + answer_at);
  memcpy(message->msg_iov[0].iov_base, next, next->nlmsg_len);
  *(struct sockaddr_nl *)message->msg_name = (struct sockaddr_nl){.nl_family = AF_NETLINK};
  message->msg_namelen = sizeof(struct sockaddr_nl);
  message->msg_controllen = 0;
  message->msg_flags = 0;
  if (!(flags & MSG_PEEK)) answer_at += NLMSG_ALIGN(next->nlmsg_len);
  return next->nlmsg_len;
}
