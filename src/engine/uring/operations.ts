/** Numbers of linux/io_uring.h and what the engine puts into user_data. */

export const OP = {
  NOP: 0,
  POLL_ADD: 6,
  SENDMSG: 9,
  RECVMSG: 10,
  ACCEPT: 13,
  ASYNC_CANCEL: 14,
  CONNECT: 16,
  CLOSE: 19,
  SEND: 26,
  RECV: 27,
} as const

export const SETUP = { SUBMIT_ALL: 1 << 7, SINGLE_ISSUER: 1 << 12, DEFER_TASKRUN: 1 << 13 } as const

/**
 * Completions are posted only while this thread is inside io_uring_enter(): no interrupts, no locks, and the shared
 * indices need no atomics.
 */
export const SETUP_FLAGS = SETUP.SUBMIT_ALL | SETUP.SINGLE_ISSUER | SETUP.DEFER_TASKRUN

export const SQE_BUFFER_SELECT = 1 << 5
export const SQE_SKIP_SUCCESS = 1 << 6

export const CQE_BUFFER = 1
export const CQE_MORE = 2
export const CQE_BUFFER_SHIFT = 16

export const ACCEPT_MULTISHOT = 1
export const RECV_MULTISHOT = 2
/** Wait for readiness before trying. */
export const POLL_FIRST = 1
export const SQ_CQ_OVERFLOW = 2

export const MSG_NOSIGNAL = 0x4000
export const MSG_DONTWAIT = 0x40
export const MSG_TRUNC = 0x20
export const POLLIN = 1
export const POLLOUT = 4
export const SOCK_CLOEXEC = 0x80000

/**
 * What a completion is of: the low byte of user_data. The other 24 bits of its low word are a slot, the high word is the
 * generation of what occupied the slot when the operation was submitted.
 *
 *   63            32 31          8 7      0
 *   |  generation   |    slot     |  kind  |
 */
export const KIND = {
  /** Nobody waits for it: close and cancel, which report failures only. */
  NONE: 0,
  RECEIVE: 1,
  SEND: 2,
  CONNECT: 3,
  /** A socket that is spliced from may have bytes, one that is spliced to may have room. */
  READABLE: 4,
  WRITABLE: 5,
  ACCEPT: 6,
  LIBUV: 7,
  /** A datagram was received. */
  DATAGRAM: 8,
  /** A datagram could not be sent; success is not told. */
  DATAGRAM_SEND: 9,
  /** Several datagrams could not be sent as one message. */
  DATAGRAM_RUN: 10,
} as const

export const KIND_MASK = 0xff
export const SLOT_SHIFT = 8
/** Slots are below this. */
export const SLOT_LIMIT = 1 << 23

export const ERRNO = { EINTR: -4, EAGAIN: -11, EBUSY: -16, EINVAL: -22, ETIME: -62, ENOBUFS: -105, ECANCELED: -125 } as const
