import { type Command, Option } from 'commander'
import { AdminClient } from './admin-client.ts'

/** Values of the options below. */
export interface AdminFlags {
  readonly admin: string
  readonly token?: string
}

/** Adds the options that say where the running Evener is asked. */
export function adminOptions(command: Command): Command {
  return command
    .addOption(new Option('--admin <url>', 'address of the admin endpoint').env('EVENER_ADMIN').default('http://127.0.0.1:9900'))
    .addOption(new Option('--token <token>', 'token of the admin endpoint').env('EVENER_ADMIN_TOKEN'))
}

export function clientOf(flags: AdminFlags): AdminClient {
  return new AdminClient({ url: /^https?:/.test(flags.admin) ? flags.admin : `http://${flags.admin}`, token: flags.token })
}
