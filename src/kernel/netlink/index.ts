/**
 * kernel/netlink: messages to and from the kernel, written and read byte by byte. In come requests of control code, out go answers
 * as values; a socket belongs to whoever opened it.
 */
export { GenericSocket, genericHeader } from './generic.ts'
export { MessageBuilder, readAttributes } from './message.ts'
export { type LinkInfo, type NextHop, RouteSocket } from './route.ts'
export { FLAG, type NativeNetlink, NETLINK, NetlinkSocket } from './socket.ts'
