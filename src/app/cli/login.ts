/** `lockstep login`: a new log-in link of a running server, alone on stdout. */
import { Command, Option } from 'commander'
import { paintAside } from '../colours.ts'
import { exits, Failure } from './failure.ts'
import { examples } from './help.ts'
import { say } from './output.ts'
import { askServers, type ServerOptions } from './servers.ts'

export function loginCommand(): Command {
  const command = new Command('login')
    .description('print a new log-in link for a browser, and nothing else on stdout; it works once')
    .addOption(
      new Option('--url <url>', 'the server to log in to, instead of the one on LOCKSTEP_DATA').env('LOCKSTEP_URL'),
    )
    .action(async () => {
      const { url } = command.opts<ServerOptions>()
      // One that stands by beside it gives links of its own; any will do.
      const [answer] = await askServers<{ path?: string; expiresAt?: string }>(
        { ...(url && { url }) },
        '/logins',
        'POST',
      )
      const { path, expiresAt } = answer?.body ?? {}
      if (answer === undefined || path === undefined || expiresAt === undefined)
        throw new Failure(
          exits.failed,
          `${answer?.url} gives no log-in links`,
          'is it of this version? `lockstep doctor`',
        )
      process.stdout.write(`${answer.url}${path}\n`)
      if (process.stdout.isTTY) say(paintAside.dim(`works once, until ${expiresAt.slice(11, 16)} UTC`))
    })
  return examples(
    command,
    'lockstep login',
    'xdg-open "$(lockstep login)"',
    'lockstep login --url https://shop.example.com',
  )
}
