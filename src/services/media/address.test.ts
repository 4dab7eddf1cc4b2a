import { expect, test } from 'vitest'
import { isOwn, isPublic } from './address.ts'

test.each([
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '127.0.0.1',
  '127.8.8.8',
  '168.63.129.16',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.2.1',
  '192.168.0.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:10.0.0.1',
  '::ffff:7f00:1',
  '64:ff9b::a00:1',
  'fc00::1',
  'fd12:3456::1',
  'fe80::1',
  'fe80::1%eth0',
  'ff02::1',
  '2001:db8::1',
  '2002:7f00:1::1',
  '',
  'localhost',
])('%j is no public address', (address) => {
  expect(isPublic(address)).toBe(false)
})

test.each([
  '1.1.1.1',
  '8.8.8.8',
  '172.15.0.1',
  '172.32.0.1',
  '192.167.0.1',
  '2606:4700::1111',
  '::ffff:8.8.8.8',
])('%j is one', (address) => {
  expect(isPublic(address)).toBe(true)
})

test.each([
  '10.1.2.3',
  '127.0.0.1',
  '172.31.255.255',
  '192.168.0.1',
  '::1',
  '::ffff:10.0.0.1',
  '::ffff:7f00:1',
  'fd12:3456::1',
])('%j is of the own network', (address) => {
  expect(isOwn(address)).toBe(true)
  expect(isPublic(address)).toBe(false)
})

test.each([
  ['this network', '0.0.0.0'],
  ['a provider’s shared addresses, with a metadata service among them', '100.100.100.200'],
  ['link-local, the metadata service', '169.254.169.254'],
  ['link-local as IPv4 in IPv6', '::ffff:169.254.169.254'],
  ['link-local as IPv4 in IPv6, in hex', '::ffff:a9fe:a9fe'],
  ['link-local as IPv4 in IPv6, the old way', '::a9fe:a9fe'],
  ['link-local behind NAT64', '64:ff9b::a9fe:a9fe'],
  ['link-local behind a NAT64 of one’s own', '64:ff9b:1::a9fe:a9fe'],
  ['a private address behind NAT64', '64:ff9b::a00:1'],
  ['link-local behind 6to4', '2002:a9fe:a9fe::1'],
  ['AWS’s metadata in IPv6', 'fd00:ec2::254'],
  ['Google’s metadata in IPv6', 'fd20:ce::254'],
  ['Azure’s platform', '168.63.129.16'],
  ['link-local in IPv6', 'fe80::1'],
  ['link-local in IPv6 with its interface', 'fe80::1%eth0'],
  ['what once was site-local', 'fec0::1'],
  ['multicast', '224.0.0.251'],
  ['multicast in IPv6', 'ff02::1'],
  ['broadcast', '255.255.255.255'],
  ['nowhere', '::'],
  ['no address', 'localhost'],
])('%s is neither public nor of the own network', (_name, address) => {
  expect(isOwn(address)).toBe(false)
  expect(isPublic(address)).toBe(false)
})
