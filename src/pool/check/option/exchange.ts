import { always, options } from '../../../schema/index.ts'
import { payload, textPattern } from './text-pattern.ts'
import { tlsShape } from './tls.ts'

const talk = {
  send: payload.optional().describe('What to send once connected.'),
  expect: textPattern.optional().describe('What must be in the first 64 KiB of the answer; a regular expression sees the first 8 KiB.'),
}

export const tcpOptions = options(talk)

export const tlsOptions = options({ ...talk, ...tlsShape })

export const udpOptions = options({
  send: payload.optional().describe('The datagram to send.'),
  expect: textPattern
    .optional()
    .describe('What must be in an answer. Without this an answer is success, and so is silence: only "port unreachable" is a failure.'),
}).check(
  always(({ send }, report) => {
    if (send === undefined) report({ code: 'CONFIG_MISSING', message: 'a udp check needs "send": the datagram' })
  }),
)
