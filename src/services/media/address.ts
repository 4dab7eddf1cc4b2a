/**
 * Which machines media and feeds may be fetched from: those of the public internet, and if an operator says so those of the own network, but never what a cloud
 * tells its machines their keys by. Checked on the address that is connected to, so that a name which means something else a moment later, and a
 * redirect, get no further (PROOF, Hostile input, SSRF).
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
  ['168.63.129.16', 32], // in a public range, but Azure's own to each of its machines
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

/** This machine and the private networks (RFC 1918, RFC 4193), also written as IPv4 in IPv6; nothing link-local, shared by a provider or multicast. */
const own = new BlockList()
for (const [network, bits] of [
  ['10.0.0.0', 8],
  ['127.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const)
  own.addSubnet(network, bits, 'ipv4')
own.addAddress('::1', 'ipv6')
own.addSubnet('fc00::', 7, 'ipv6')
/** Where AWS and Google keep their metadata inside of it. */
const metadata = new BlockList()
for (const address of ['fd00:ec2::254', 'fd20:ce::254']) metadata.addAddress(address, 'ipv6')

export function isOwn(address: string): boolean {
  const kind = isIP(address)
  const family = kind === 4 ? 'ipv4' : 'ipv6'
  return kind > 0 && own.check(address, family) && !metadata.check(address, family)
}

/** Throws GiveUp for an address that nothing is fetched from. */
export function refuseAddress(host: string, address: string, privateHosts: boolean): void {
  if (isPublic(address) || (privateHosts && isOwn(address))) return
  const wanted = privateHosts ? 'neither a public address nor one of the own network' : 'no public address'
  throw new GiveUp(`${host} is at ${address}, which is ${wanted}`)
}

/** Names are resolved on the threads that files are read on, of which there are four: two at a time, so that a slow name server leaves some. */
const LOOKUPS = 2
let underWay = 0
const waiting: (() => void)[] = []

/** For `http.request`: resolves a name, and fails with GiveUp if nothing is fetched from any of its addresses. */
const lookupWithin =
  (privateHosts: boolean): LookupFunction =>
  (host, options, answer) => {
    const enter = () => {
      underWay++
      resolve(host, { ...options, all: true }, (error, addresses) => {
        underWay--
        waiting.shift()?.()
        if (error) return answer(error, '')
        try {
          for (const { address } of addresses) refuseAddress(host, address, privateHosts)
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

export const lookupPublic = lookupWithin(false)
export const lookupPublicOrOwn = lookupWithin(true)
