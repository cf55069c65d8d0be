import { Command } from 'commander'
import { type AdminFlags, adminOptions, clientOf } from './admin-options.ts'
import type { CertificateAnswer } from './answers.ts'
import { formatTable, plain } from './table.ts'

/** What is served, and how it stands with what Evener orders itself. */
export function certificatesCommand(): Command {
  const command = new Command('certificates').description('show the certificates of listeners, and order them anew')
  adminOptions(command.command('list', { isDefault: true }).description('what is served, and when it is renewed')).action(
    async (flags: AdminFlags) => {
      const { certificates } = await clientOf(flags).get<{ certificates: readonly CertificateAnswer[] }>('/api/v1/certificates')
      process.stdout.write(certificates.length === 0 ? 'no listener has a certificate\n' : `${certificates.map(describe).join('\n\n')}\n`)
    },
  )
  adminOptions(
    command
      .command('renew')
      .description('order a new one now, after a key was lost for instance')
      .argument('[name]', 'a name of the certificate; all without it'),
  ).action(async (name: string | undefined, flags: AdminFlags) => {
    const { ordered } = await clientOf(flags).post<{ ordered: number }>('/api/v1/certificates/renew', { name })
    process.stdout.write(`${ordered} ${ordered === 1 ? 'certificate is' : 'certificates are'} ordered; the log tells what becomes of it\n`)
  })
  return command
}

function describe({ file, listener, subject, names, expiresAt, acme, ocsp }: CertificateAnswer): string {
  const rows: [string, string][] = [
    ['  listener', listener],
    ['  names', plain(names.join(', '))],
    ['  subject', plain(subject)],
    ['  expires', expiresAt],
  ]
  if (acme !== null) {
    rows.push(
      ['  order', acme.state],
      ['  next order', acme.nextOrderAt ?? '-'],
      ['  last success', acme.lastSuccessAt ?? 'not since the start'],
    )
    if (acme.failure !== null) rows.push(['  failed', `${acme.lastFailureAt ?? ''}, ${acme.failures} in a row: ${plain(acme.failure)}`])
  }
  if (ocsp !== null) rows.push(['  ocsp', ocsp.isStapled ? `stapled until ${ocsp.nextUpdateAt}` : 'nothing is stapled'])
  if (ocsp !== null && ocsp.failure !== null) rows.push(['  ocsp failed', plain(ocsp.failure)])
  return `${plain(file)}\n${formatTable(rows)}`
}
