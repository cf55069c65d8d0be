import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CookiePersistence, PersistenceCookie } from '../../../../src/pool/persistence/cookie.ts'
import { ServerValues, type ValueFormat } from '../../../../src/pool/persistence/server-value.ts'

const SERVERS = ['a', 'b', '10.0.0.13:8080']
const FORMATS: ValueFormat[] = ['plain', 'signed', 'encrypted']

function cookie(changes: Partial<CookiePersistence> = {}, servers: readonly string[] = SERVERS): PersistenceCookie {
  return new PersistenceCookie('app', servers, {
    name: 'EVSRV',
    mode: 'insert',
    format: 'signed',
    secrets: ['s1'],
    domain: '',
    path: '/',
    secure: false,
    httpOnly: true,
    sameSite: 'lax',
    maxAge: 0,
    ...changes,
  })
}

/** The value of a Set-Cookie line. */
function cookieValue(setCookie: string | undefined): string {
  return /^[^=]+=([^;]*)/.exec(setCookie ?? '')?.[1] ?? ''
}

for (const format of FORMATS) {
  test(`${format}: a value comes back as its server, also when others have come and gone`, () => {
    const values = new ServerValues('app', SERVERS, format, ['s1'])
    const later = new ServerValues('app', ['new', '10.0.0.13:8080', 'a'], format, ['s1'])
    for (const index of SERVERS.keys()) assert.equal(values.read(values.write(index)), index)
    assert.deepEqual(
      [0, 1, 2].map((index) => later.read(values.write(index))),
      [2, -1, 1],
    )
  })

  test(`${format}: a value gives away neither name nor address`, () => {
    const value = new ServerValues('app', SERVERS, format, ['s1']).write(2)
    assert.ok(!value.includes('10') || !value.includes('8080'))
    assert.ok(!Buffer.from(value, 'base64url').toString('latin1').includes('10.0.0.13'))
  })

  test(`${format}: what is no value is no server`, () => {
    const values = new ServerValues('app', SERVERS, format, ['s1'])
    for (const wrong of ['', 'x', '!', 'a'.repeat(5000), '=', values.write(0).slice(1), `${values.write(0)}AAAA`])
      assert.equal(values.read(wrong), -1, wrong)
  })
}

test('signed and encrypted values cannot be forged, changed, or used with another pool or secret', () => {
  for (const format of ['signed', 'encrypted'] as const) {
    const values = new ServerValues('app', SERVERS, format, ['s1'])
    const bytes = Buffer.from(values.write(0), 'base64url')
    for (let i = 0; i < bytes.length; i++) {
      const changed = Buffer.from(bytes)
      changed[i] ^= 1
      assert.equal(values.read(changed.toString('base64url')), -1)
    }
    assert.equal(new ServerValues('app', SERVERS, format, ['s2']).read(values.write(0)), -1)
    assert.equal(new ServerValues('other', SERVERS, format, ['s1']).read(values.write(0)), -1)
    assert.equal(values.read(new ServerValues('app', SERVERS, 'plain', []).write(0)), -1)
    assert.throws(() => new ServerValues('app', SERVERS, format, []), /need a secret/)
  }
})

test('a new secret writes while the old one is still read', () => {
  for (const format of ['signed', 'encrypted'] as const) {
    const old = new ServerValues('app', SERVERS, format, ['s1'])
    const both = new ServerValues('app', SERVERS, format, ['s2', 's1'])
    assert.equal(both.read(old.write(1)), 1)
    assert.equal(old.read(both.write(1)), -1)
  }
})

test('two encrypted values of a server differ', () => {
  const values = new ServerValues('app', SERVERS, 'encrypted', ['s1'])
  assert.notEqual(values.write(0), values.write(0))
})

test('insert sets a cookie when the server is new for the client, and hides it from the server', () => {
  const insert = cookie()
  const line = insert.insertion(1, -1)
  assert.match(line ?? '', /^EVSRV=[\w-]+; Path=\/; HttpOnly; SameSite=Lax$/)
  assert.deepEqual(insert.read(cookieValue(line)), { index: 1, forward: null })
  assert.equal(insert.insertion(1, 1), undefined)
  assert.ok(insert.insertion(0, 1))
  assert.deepEqual(insert.read('forged'), { index: -1, forward: null })
  assert.deepEqual(insert.read(undefined), { index: -1, forward: undefined })
  assert.equal(insert.rewrite('EVSRV=x', 0), undefined)
})

test('the attributes are those of the configuration, and SameSite=None is always secure', () => {
  const line = cookie({ domain: 'shop.test', path: '/x', maxAge: 60, httpOnly: false, sameSite: 'none' }).insertion(0, -1)
  assert.match(line ?? '', /; Path=\/x; Domain=shop\.test; Max-Age=60; Secure; SameSite=None$/)
  assert.match(cookie({ path: '', httpOnly: false, sameSite: '' }).insertion(0, -1) ?? '', /^EVSRV=[\w-]+$/)
})

test("prefix puts our value before the server's own and takes it away again", () => {
  const prefix = cookie({ name: 'SID', mode: 'prefix' })
  const line = prefix.rewrite('SID=abc~d=e; Path=/; HttpOnly', 2)
  assert.match(line ?? '', /^SID=[\w-]+~abc~d=e; Path=\/; HttpOnly$/)
  assert.deepEqual(prefix.read(cookieValue(line)), { index: 2, forward: 'abc~d=e' })
  assert.deepEqual(prefix.read('abc~d'), { index: -1, forward: undefined })
  assert.equal(prefix.rewrite('SIDX=1', 0), undefined)
  assert.equal(prefix.rewrite('junk', 0), undefined)
  assert.equal(prefix.insertion(0, -1), undefined)
})

test("rewrite puts our value in the place of the server's", () => {
  const rewrite = cookie({ name: 'SRV', mode: 'rewrite' })
  const line = rewrite.rewrite('SRV=whatever; Path=/', 1)
  assert.match(line ?? '', /^SRV=[\w-]+; Path=\/$/)
  assert.deepEqual(rewrite.read(cookieValue(line)), { index: 1, forward: undefined })
  assert.match(rewrite.rewrite('SRV=', 0) ?? '', /^SRV=[\w-]+$/)
})

test('passive reads the name of a server and changes nothing', () => {
  const passive = cookie({ mode: 'passive', format: 'plain', secrets: [] })
  assert.deepEqual(passive.read('b'), { index: 1, forward: undefined })
  assert.deepEqual(passive.read('c'), { index: -1, forward: undefined })
  assert.equal(passive.rewrite('EVSRV=b', 0), undefined)
  assert.equal(passive.insertion(0, -1), undefined)
})
