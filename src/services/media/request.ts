/** One request to a machine that things may be fetched from, for media and feeds alike: looked at before, while its name is resolved, and once it answers. */
import http from 'node:http'
import https from 'node:https'
import { isIP } from 'node:net'
import { lookupPublic, lookupPublicOrOwn, refuseAddress } from './address.ts'

export interface Asking {
  headers: Record<string, string>
  /** This machine and those of the own network may be asked. Link-local ones never. */
  privateHosts: boolean
  signal: AbortSignal
}

/** One connection a request, so that each is checked and none lies idle. */
const agents = { 'http:': new http.Agent({ keepAlive: false }), 'https:': new https.Agent({ keepAlive: false }) }

/** Answers as soon as there are headers, a redirect too. Rejects with GiveUp for an address that nothing is fetched from. */
export async function requestTo(url: URL, { headers, privateHosts, signal }: Asking): Promise<http.IncomingMessage> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) > 0) refuseAddress(host, host, privateHosts) // an address is not looked up
  const { request } = url.protocol === 'https:' ? https : http
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      agent: agents[url.protocol as keyof typeof agents],
      headers: { 'user-agent': 'Lockstep', ...headers },
      maxHeaderSize: 16_384,
      signal,
      lookup: privateHosts ? lookupPublicOrOwn : lookupPublic,
    })
    sent.on('response', resolve)
    sent.on('error', reject)
    // Belt and braces: whatever chose the address, this is the one that answers.
    sent.on('socket', (socket) =>
      socket.once('connect', () => {
        try {
          refuseAddress(host, socket.remoteAddress ?? '', privateHosts)
        } catch (refusal) {
          socket.destroy(refusal as Error)
        }
      }),
    )
    sent.end()
  })
}
