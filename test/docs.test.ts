import { expect, test } from 'vitest'
import { settings } from '../src/app/config.ts'
import { catalogue } from '../src/app/http/problem-catalogue.ts'

// A page that is behind fails here; `npm test -- test/docs.test.ts -u` writes it anew.

const cell = (text: string) => text.replaceAll('|', '\\|')

test('the page of settings is what the program reads', async () => {
  const rows = settings().map(
    ({ name, fallback, example, meaning }) =>
      `| \`${name}\` | ${fallback === undefined ? 'none' : `\`${fallback}\``} | ${cell(meaning)}${fallback === undefined ? `, for example \`${cell(example)}\`` : ''} |`,
  )
  const page = `# Configuration

All settings are environment variables, checked together at start: every fault is told at once, by the name of its variable. One that is set but
empty counts as not set. \`npx lockstep config\` prints them with the values they have now. (E), (B), (C): the document a default comes from.

| variable | default | meaning |
|---|---|---|
${rows.join('\n')}

Embedded mode is the absence of \`DATABASE_URL\`: the program runs its own Postgres below \`LOCKSTEP_DATA\`, makes its own key for tokens, and listens
on loopback alone. With \`DATABASE_URL\`, or with a \`HOST\` that is not loopback, \`LOCKSTEP_JWT_SECRET\` or \`LOCKSTEP_JWKS_URL\` must be set.
The command line's own options have variables too: see \`npx lockstep <command> --help\`.
`
  await expect(page).toMatchFileSnapshot('../docs/configuration.md')
})

test('the page of problems is what the server answers', async () => {
  const rows = Object.entries(catalogue).map(
    ([code, { status, title, advice }]) => `| \`${code}\` | ${status} | ${cell(title)} | ${cell(advice)} |`,
  )
  const page = `# Problems

What the API answers when it does not do what was asked: \`application/problem+json\` (RFC 9457) with \`type\` \`/problems/<name>\`, \`title\`, \`status\`,
\`detail\`, \`instance\`, \`requestId\`, and what the problem itself adds. The names are stable. \`GET /problems\` serves this list, \`GET /problems/<name>\` one.

| name | status | title | what to do |
|---|---|---|---|
${rows.join('\n')}
`
  await expect(page).toMatchFileSnapshot('../docs/problems.md')
})
