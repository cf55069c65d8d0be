import { MessageBuilder, readAttributes } from './message.ts'
import { FLAG, type NativeNetlink, NETLINK, NetlinkSocket } from './socket.ts'

const CONTROL_FAMILY = 16
const GET_FAMILY = 3
const CONTROL_VERSION = 2
const FAMILY_ATTRIBUTE = { ID: 1, NAME: 2 } as const
/** struct genlmsghdr: command, version, two unused bytes. */
export const GENERIC_HEADER_BYTES = 4

/** The fixed part of a generic netlink message. */
export function genericHeader(command: number, version: number): Uint8Array {
  return Uint8Array.of(command, version, 0, 0)
}

/** A family of generic netlink, found by its name; the kernel loads its module where it may. */
export class GenericSocket {
  readonly #socket: NetlinkSocket
  readonly #family: number
  readonly #version: number

  private constructor(socket: NetlinkSocket, family: number, version: number) {
    this.#socket = socket
    this.#family = family
    this.#version = version
  }

  /** undefined where the kernel has no such family. */
  static open(native: NativeNetlink, name: string, version: number): GenericSocket | undefined {
    const socket = new NetlinkSocket(native, NETLINK.GENERIC)
    const asked = new MessageBuilder(CONTROL_FAMILY, FLAG.REQUEST | FLAG.ACK, genericHeader(GET_FAMILY, CONTROL_VERSION))
    const answers = socket.tryRequest(asked.text(FAMILY_ATTRIBUTE.NAME, name).build())
    const id =
      typeof answers === 'number'
        ? undefined
        : readAttributes(answers[0] ?? new Uint8Array(4), GENERIC_HEADER_BYTES).get(FAMILY_ATTRIBUTE.ID)
    if (id !== undefined) return new GenericSocket(socket, id[0] | (id[1] << 8), version)
    socket.close()
    return undefined
  }

  /** A message of the family, with attributes added by `build`. Gives the payloads of the answers, or -errno. */
  request(command: number, flags: number, build: (message: MessageBuilder) => void): Uint8Array[] | number {
    const message = new MessageBuilder(this.#family, FLAG.REQUEST | flags, genericHeader(command, this.#version))
    build(message)
    return this.#socket.tryRequest(message.build())
  }

  close(): void {
    this.#socket.close()
  }
}
