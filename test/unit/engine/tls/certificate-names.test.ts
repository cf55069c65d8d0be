import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { makeSelfSigned } from '../../../../src/control/self-signed.ts'
import { certificateNames, NameIndex } from '../../../../src/engine/tls/index.ts'

describe('names of certificates', () => {
  it('are those of subjectAltName, in lower case', () => {
    assert.deepEqual(certificateNames(makeSelfSigned(['Shop.Test', '*.shop.test', '127.0.0.1']).cert), ['shop.test', '*.shop.test'])
  })

  const index = new NameIndex([['shop.test', '*.shop.test'], ['img.shop.test'], ['shop.test'], ['other.test']])

  it('an exact name comes before a wildcard, and both serve it', () => {
    assert.deepEqual(index.find('img.shop.test'), [1, 0])
  })

  it('certificates for the same name stand side by side', () => {
    assert.deepEqual(index.find('shop.test'), [0, 2])
  })

  it('a wildcard covers one label', () => {
    assert.deepEqual(index.find('www.shop.test'), [0])
    assert.equal(index.find('a.b.shop.test'), undefined)
  })

  it('an unknown name gets the first certificate and those that share a name with it', () => {
    assert.equal(index.find('nobody.test'), undefined)
    assert.equal(index.find('test'), undefined)
    assert.deepEqual(index.fallback, [0, 2])
  })
})
