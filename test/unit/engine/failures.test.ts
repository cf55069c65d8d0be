import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SocketAddress } from '../../../src/core/index.ts'
import { closeReason, listenError } from '../../../src/engine/failures.ts'

const port: SocketAddress = { family: 4, host: '10.0.0.1', port: 80 }
const path: SocketAddress = { family: 'unix', path: '/run/app.sock' }

describe('the names of failures', () => {
  it('gives each errno the reason that a pool can act on', () => {
    const reasons = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'ECONNRESET', 'EPIPE', 'EMFILE', 'ENOMEM', 'EINVAL', '']
    assert.deepEqual(reasons.map(closeReason), [
      'refused',
      'unreachable',
      'unreachable',
      'timeout',
      'reset',
      'reset',
      'overload',
      'overload',
      'failed',
      'failed',
    ])
  })

  it('names the address and the way out when it cannot be listened on', () => {
    const messages: [SocketAddress, string, string, RegExp][] = [
      [port, 'EADDRINUSE', 'LISTEN_ADDRESS_IN_USE', /^cannot listen on 10\.0\.0\.1:80: the port is taken; .*choose another port/],
      [path, 'EADDRINUSE', 'LISTEN_ADDRESS_IN_USE', /^cannot listen on unix:\/run\/app\.sock: the file exists; .*remove the file/],
      [port, 'EACCES', 'LISTEN_FORBIDDEN', /CAP_NET_BIND_SERVICE/],
      [path, 'EACCES', 'LISTEN_FORBIDDEN', /folder/],
      [port, 'EADDRNOTAVAIL', 'LISTEN_ADDRESS_UNAVAILABLE', /listen on 0\.0\.0\.0/],
      [port, 'ENOTSUP', 'LISTEN_FAILED', /one worker/],
      [port, 'EDOOM', 'LISTEN_FAILED', /EDOOM/],
    ]
    for (const [address, errno, code, message] of messages) {
      const error = listenError(address, errno, 'the cause')
      assert.equal(error.code, code)
      assert.match(error.message, message)
      assert.equal(error.cause, 'the cause')
    }
  })
})
