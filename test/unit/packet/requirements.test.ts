import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requirePacketPlane } from '../../../src/packet/requirements.ts'

const able = { platform: 'linux', kernel: '6.1.0-18-amd64', capabilities: (1n << 41n) - 1n }
const CAP_NET_ADMIN = 1n << 12n
const CAP_SYS_ADMIN = 1n << 21n
const CAP_PERFMON = 1n << 38n
const CAP_BPF = 1n << 39n

test('a kernel that is new enough with all powers will do, and CAP_SYS_ADMIN stands for CAP_BPF', () => {
  requirePacketPlane(able)
  requirePacketPlane({ ...able, kernel: '7.0', capabilities: CAP_NET_ADMIN | CAP_SYS_ADMIN })
  requirePacketPlane({ ...able, capabilities: CAP_NET_ADMIN | CAP_BPF | CAP_PERFMON })
})

for (const [what, environment, code, message] of [
  ['another system', { ...able, platform: 'darwin' }, 'PACKET_UNSUPPORTED', /needs Linux, this is darwin/],
  [
    'an old kernel',
    { ...able, kernel: '5.15.0-91-generic' },
    'PACKET_UNSUPPORTED',
    /needs Linux 6\.0 or newer .*, this is 5\.15\.0-91-generic/,
  ],
  ['no powers', { ...able, capabilities: 0n }, 'BPF_FORBIDDEN', /needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN,/],
  ['no CAP_NET_ADMIN', { ...able, capabilities: CAP_BPF | CAP_PERFMON }, 'BPF_FORBIDDEN', /needs CAP_NET_ADMIN,/],
  ['no CAP_PERFMON', { ...able, capabilities: CAP_BPF | CAP_NET_ADMIN }, 'BPF_FORBIDDEN', /needs CAP_PERFMON,/],
] as const) {
  test(`${what}: one sentence says what is missing`, () => {
    assert.throws(() => requirePacketPlane(environment), { code, message })
  })
}
