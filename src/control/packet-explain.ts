import { addressBytes, parseCidr } from '../core/index.ts'
import type { PacketListenerPlan } from '../packet/index.ts'
import type { Explanation } from './explain.ts'

/** A packet from a client to a packet listener: whether the access list lets it in; it goes to the pool then. */
export function explainPacket(listener: PacketListenerPlan, client: string): Explanation {
  const { access, name } = listener
  const isIn = isAllowed(access, client)
  const lists = [...access.allow.map((range) => `allow ${range}`), ...access.deny.map((range) => `deny ${range}`)]
  const predicates = lists.length === 0 ? [] : [{ predicate: 'client', holds: isIn, expected: lists.join(', '), actual: client }]
  const route = { id: `listeners.${name}.packet`, index: 0, matches: isIn, predicates }
  return { listener: name, refusal: undefined, notes: [], routes: [route], match: isIn ? 0 : -1 }
}

/** The narrowest range that the client is in decides; without one, whether there is a list of those who may come. */
function isAllowed({ allow, deny }: PacketListenerPlan['access'], client: string): boolean {
  const narrowest = (ranges: readonly string[]) =>
    Math.max(-1, ...ranges.filter((range) => isWithin(client, range)).map((range) => parseCidr(range).prefix))
  const [allowed, denied] = [narrowest(allow), narrowest(deny)]
  return allowed === -1 && denied === -1 ? allow.length === 0 : allowed > denied
}

function isWithin(client: string, range: string): boolean {
  const { address, prefix } = parseCidr(range)
  const [one, other] = [addressBytes(client), addressBytes(address)]
  if (one.length !== other.length) return false
  for (let bit = 0; bit < prefix; bit++) if ((((one[bit >> 3] ^ other[bit >> 3]) >> (7 - (bit & 7))) & 1) !== 0) return false
  return true
}
