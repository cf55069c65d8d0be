import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { makeKey, makeRequest } from '../../../src/acme/csr.ts'
import { pem } from '../../../src/core/index.ts'
import { KEY_TYPES } from '../../../src/schema/index.ts'
import { needs } from '../../support/needs.ts'

for (const type of KEY_TYPES) {
  test(`openssl verifies a request with a key of type ${type}, and reads its names`, needs('openssl'), async () => {
    const request = makeRequest(await makeKey(type), ['shop.test', '*.shop.test'])
    const input = pem('CERTIFICATE REQUEST', request)
    const text = execFileSync('openssl', ['req', '-verify', '-noout', '-text'], { input, encoding: 'utf8', stdio: 'pipe' })
    assert.match(text, /DNS:shop\.test, DNS:\*\.shop\.test/)
    assert.match(text, type.startsWith('ec') ? new RegExp(`P-${type.slice(2)}`) : new RegExp(`${type.slice(3)} bit`))
  })
}
