/** `lockstep token`: an access token, alone on stdout. */
import { Command, Option } from 'commander'
import { paintAside } from '../colours.ts'
import { exits, Failure } from './failure.ts'
import { examples } from './help.ts'
import { say } from './output.ts'
import { duration } from './session.ts'

// As in http/auth.ts, which is not loaded for a help text.
const roles = ['ADMIN', 'product-service', 'inventory-service', 'analyst'] as const

interface Options {
  role: (typeof roles)[number]
  subject: string
  ttl: number
}

export function tokenCommand(): Command {
  const command = new Command('token')
    .description('print an access token, and nothing else on stdout')
    .addOption(
      new Option('-r, --role <role>', 'what it allows')
        .choices([...roles])
        .env('LOCKSTEP_ROLE')
        .makeOptionMandatory(),
    )
    .addOption(new Option('-s, --subject <name>', 'who acts').env('LOCKSTEP_SUBJECT').default('cli'))
    .addOption(
      new Option('--ttl <time>', 'how long it is good')
        .env('LOCKSTEP_TTL')
        .argParser(duration)
        .default(43_200_000, '12h'),
    )
    .action(async () => {
      const { role, subject, ttl } = command.opts<Options>()
      if (ttl < 1_000) throw new Failure(exits.usage, 'a token must be good for a second at least')
      if (subject.length > 200 || subject === '') throw new Failure(exits.usage, 'a subject has 1 to 200 characters')
      const [{ readConfig, jwtSecret }, { openAuth }] = await Promise.all([
        import('../config.ts'),
        import('../http/auth.ts'),
      ])
      const secret = await jwtSecret(readConfig(process.env))
      if (secret === undefined) {
        throw new Failure(
          exits.auth,
          'there is no key to sign with: tokens come from the issuer behind LOCKSTEP_JWKS_URL',
          'set LOCKSTEP_JWT_SECRET to the server’s key to sign tokens here',
        )
      }
      const token = await openAuth({ secret }).issueToken({ role, subject, ttlSeconds: Math.round(ttl / 1_000) })
      process.stdout.write(`${token}\n`)
      const until = new Date(Date.now() + ttl).toISOString().slice(0, 16).replace('T', ' ')
      if (process.stdout.isTTY) say(paintAside.dim(`${role}, for ${subject}, good until ${until} UTC`))
    })
  return examples(
    command,
    'lockstep token --role ADMIN',
    'TOKEN=$(lockstep token --role ADMIN --ttl 1h)',
    'curl -H "authorization: Bearer $TOKEN" 127.0.0.1:4000/v1/events',
  )
}
