-- The outbox. `id` is the id of the event that a mail answers, so that whatever comes again finds it; nothing in a row is personal.
create table notifications.mails (
  id             uuid        primary key,
  template       text        not null,
  -- whose wish it is to get it or not; null for the admin
  customer_id    text        collate "C",
  topic          text,
  -- mails of one thread go out one after another: order/<id>
  thread         text        collate "C",
  data           json        not null,
  state          text        not null check (state in ('unsent', 'queued', 'sending', 'deferred', 'unknown', 'sent', 'failed', 'dropped', 'discarded')),
  queued_at      timestamptz not null default now(),
  due_at         timestamptz not null,
  attempts       int         not null default 0,
  -- raised by each claim: who holds an older one can neither hand the mail over nor settle it
  epoch          bigint      not null default 0,
  lease_until    timestamptz,
  -- when this attempt was about to end its DATA: before that no server has the mail
  handed_at      timestamptz,
  possibly_twice boolean     not null default false,
  sent_at        timestamptz,
  response       text,
  error          text,
  check ((customer_id is null) = (topic is null))
) with (fillfactor = 70);

create index mails_due      on notifications.mails (due_at)      where state in ('queued', 'deferred', 'unknown');
create index mails_leased   on notifications.mails (lease_until) where state = 'sending';
create index mails_thread   on notifications.mails (thread, id)  where state in ('queued', 'deferred', 'unknown', 'sending');
create index mails_customer on notifications.mails (customer_id, id);
create index mails_state    on notifications.mails (state, id);
create index mails_template on notifications.mails (template, id);

-- The mail that told the admin of it; none for what was told before there were mails.
alter table notifications.sent add column mail_id uuid references notifications.mails;
create index sent_mail on notifications.sent (mail_id, position);

-- What customers want to be told by mail, as their preferences say; one whose preferences have said nothing yet has no row.
create table notifications.rules (
  customer_id text    collate "C" primary key,
  version     bigint  not null,
  -- by topic: true when its channels include e-mail; a topic that is not there was never decided
  by_email    json    not null,
  locale      text,
  erased      boolean not null
) with (fillfactor = 80);
