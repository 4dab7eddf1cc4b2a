/** What an operator can set about mails, and the deadlines of the outbox. */

export interface NotificationSettings {
  /** `smtp://user:password@host:587` or `smtps://…:465`. Without it mails are kept as `unsent`. */
  smtpUrl: string | undefined
  /** Who is told of low stock. */
  adminEmail: string | undefined
  /** Who mails come from; the domain of their Message-IDs too. */
  from: string
  /** Where people reach this server: for links in mails, which have none without it. */
  publicUrl: string | undefined
  /** Stock that runs low within so many seconds of a mail about it waits for the next one. */
  digestSeconds: number
  /** How long a first crossing waits for others before its mail goes out. */
  gatherMs: number
  /** Connections to the mail server that a process has at a time. */
  connections: number
  /** A claim that its process does not renew is void after so long. It renews at a third of it. */
  leaseMs: number
  /** The mail server's time to accept a connection, to greet, and for each silence. */
  connectMs: number
  greetingMs: number
  silenceMs: number
  /** Time for one mail from the first command to the last answer; a server may be slow, but not for ever. */
  mailMs: number
  /** Wait before the second try; doubles from there. */
  retryFirstMs: number
  retryMaxMs: number
  /** A mail that the server keeps putting off fails after so long (RFC 5321, 4.5.4.1: four to five days; a status is old news before). */
  giveUpMs: number
  /** Wait before a mail is sent again of which nobody knows whether it arrived. */
  unknownMs: number
  /** How often the outbox is looked at. */
  pollMs: number
}

const hour = 3_600_000

export const notificationDefaults: NotificationSettings = {
  smtpUrl: undefined,
  adminEmail: undefined,
  from: 'Lockstep <lockstep@localhost>',
  publicUrl: undefined,
  digestSeconds: 60,
  gatherMs: 2_000,
  connections: 3,
  leaseMs: 30_000,
  connectMs: 10_000,
  greetingMs: 10_000,
  silenceMs: 30_000,
  mailMs: 120_000,
  retryFirstMs: 30_000,
  retryMaxMs: hour,
  giveUpMs: 72 * hour,
  unknownMs: 60_000,
  pollMs: 500,
}
