/** One request for a feed, to the public internet or the own network, but never to what a cloud tells its machines their keys by: as media are fetched. */
import http from 'node:http'
import https from 'node:https'
import { isIP } from 'node:net'
import { lookupPublicOrOwn, refuseAddress } from '../../services/media/address.ts'

/** One connection a request, so that each is checked and none lies idle. */
const agents = { 'http:': new http.Agent({ keepAlive: false }), 'https:': new https.Agent({ keepAlive: false }) }

/** Answers as soon as there are headers. Throws for an address that nothing is fetched from. */
export function requestTo(
  url: URL,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) > 0) refuseAddress(host, host, true) // an address is not looked up
  const { request } = url.protocol === 'https:' ? https : http
  return new Promise((resolve, reject) => {
    request(url, {
      agent: agents[url.protocol as keyof typeof agents],
      headers: { 'user-agent': 'lockstep', 'accept-encoding': 'identity', ...headers },
      lookup: lookupPublicOrOwn,
      signal,
    })
      .on('response', resolve)
      .on('error', reject)
      .end()
  })
}
