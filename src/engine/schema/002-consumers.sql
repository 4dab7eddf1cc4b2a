-- Processes that host consumers; one that has not beaten for a while is taken for dead and its consumers are taken over.
create table lockstep.processes (
  name       text        primary key,
  beat_at    timestamptz not null,
  started_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

-- A consumer and how far it has come. The epoch fences: a checkpoint is written only by the owner of the epoch.
create table lockstep.consumers (
  name       text        primary key,
  kind       text        not null check (kind in ('projection', 'reaction')),
  patterns   text[]      not null,
  position   bigint      not null,
  epoch      bigint      not null default 0,
  owner      text,
  crashes    int         not null default 0, -- owners lost in a row, until one has shown that it lives on
  trying     bigint,                         -- after some: the event that is being handled alone; found ahead of the checkpoint, it ended its process
  paused     boolean     not null default false,
  updated_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

-- What a consumer could not handle: for a projection the key (with its newest position), for a reaction each event.
--   retrying  will be tried again at retry_at        waiting    a later event of a reaction's key, behind the one that fails
--   dead      given up: a dead letter                discarded  a person said so; kept, can be restored
create table lockstep.failures (
  id          bigint      generated always as identity primary key,
  consumer    text        not null references lockstep.consumers (name) on delete cascade,
  key         text        not null,
  position    bigint      not null,
  entity      text        not null,
  version     bigint      not null,
  type        text        not null,
  state       text        not null check (state in ('retrying', 'waiting', 'dead', 'discarded')),
  attempts    int         not null default 0,
  error       text        not null default '',
  error_class text        not null default '',
  history     jsonb       not null default '[]',
  retry_at    timestamptz,
  first_at    timestamptz not null default clock_timestamp(),
  last_at     timestamptz not null default clock_timestamp(),
  unique (consumer, key, position)
);
create index failures_by_key on lockstep.failures (key);
create index failures_due    on lockstep.failures (consumer, retry_at) where state = 'retrying';
