/**
 * Which machines media may be fetched from: those of the public internet. Checked on the address that is connected to, so that a name which means
 * something else a moment later, and a redirect, get no further (PROOF, Hostile input, SSRF).
 */
import { lookup as resolve } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { GiveUp } from '../../engine/verdict.ts'

/** IANA's special-purpose registries, 2024. */
const private4 = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  private4.addSubnet(network, bits, 'ipv4')

/** Of IPv6 only what is given out to somebody; of that, not the tunnels and the examples. */
const given6 = new BlockList()
given6.addSubnet('2000::', 3, 'ipv6')
const private6 = new BlockList()
for (const [network, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  private6.addSubnet(network, bits, 'ipv6')

export function isPublic(address: string): boolean {
  const kind = isIP(address)
  if (kind === 4) return !private4.check(address, 'ipv4')
  const embedded = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (embedded) return isPublic(embedded)
  return kind === 6 && given6.check(address, 'ipv6') && !private6.check(address, 'ipv6')
}

/** Throws GiveUp for an address in a private network. */
export function refusePrivate(host: string, address: string): void {
  if (isPublic(address)) return
  throw new GiveUp(`${host} is at ${address}, which is no public address`)
}

/** Names are resolved on the threads that files are read on, of which there are four: two at a time, so that a slow name server leaves some. */
const LOOKUPS = 2
let underWay = 0
const waiting: (() => void)[] = []

/** For `http.request`: resolves a name, and fails with GiveUp if any of its addresses is private. */
export const lookupPublic: LookupFunction = (host, options, answer) => {
  const enter = () => {
    underWay++
    resolve(host, { ...options, all: true }, (error, addresses) => {
      underWay--
      waiting.shift()?.()
      if (error) return answer(error, '')
      try {
        for (const { address } of addresses) refusePrivate(host, address)
      } catch (refusal) {
        return answer(refusal as Error, '')
      }
      if (options.all) return answer(null, addresses)
      answer(null, addresses[0]?.address ?? '', addresses[0]?.family)
    })
  }
  if (underWay < LOOKUPS) enter()
  else waiting.push(enter)
}
