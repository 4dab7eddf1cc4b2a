create schema feeds;

create table feeds.feeds (
  name         text        collate "C" primary key,
  definition   json        not null,
  updated_at   timestamptz not null default statement_timestamp(),
  next_at      timestamptz, -- when its schedule is due; null: it has none, or is switched off
  baseline_run bigint       -- the last whole run that was carried out: its keys are what the next one is measured against
);
create index feeds_due on feeds.feeds (next_at) where next_at is not null;

create table feeds.runs (
  id             bigint      generated always as identity primary key,
  feed           text        collate "C" not null references feeds.feeds (name) on delete cascade,
  status         text        not null check (status in ('uploading', 'queued', 'reading', 'held', 'applying', 'done', 'unchanged', 'rejected', 'superseded', 'failed')),
  origin         text        not null check (origin in ('schedule', 'request', 'upload')),
  started_by     text,
  forced         boolean     not null default false, -- read although the source says that nothing has changed
  dry_run        boolean     not null default false,
  as_of          timestamptz, -- the time the feed speaks of; when it was read, unless it says so
  created_at     timestamptz not null default statement_timestamp(),
  finished_at    timestamptz,
  attempt        int         not null default 0, -- whoever reads has the latest; one that was taken for dead stops at its next page
  complete       boolean     not null default false, -- read to its end
  etag           text,
  last_modified  text,
  sha256         text,
  columns        json        not null default '{}',
  bytes          bigint      not null default 0,
  bytes_total    bigint      not null default 0,
  rows           bigint      not null default 0,
  created        bigint      not null default 0,
  changed        bigint      not null default 0,
  removed        bigint      not null default 0,
  unchanged      bigint      not null default 0,
  refused        bigint      not null default 0,
  applied        bigint      not null default 0,
  failed         bigint      not null default 0,
  reasons        json        not null default '[]',
  problems       json        not null default '[]',
  problems_total bigint      not null default 0,
  error          text,
  decided_by     text,
  decided_at     timestamptz
);
create index runs_by_feed on feeds.runs (feed, id desc);
create unique index runs_active on feeds.runs (feed) where status in ('queued', 'reading', 'applying');

-- What an upload brought, until it has been read.
create table feeds.pieces (
  run_id bigint not null references feeds.runs (id) on delete cascade,
  n      int    not null,
  bytes  bytea  not null,
  primary key (run_id, n)
);

-- What a run speaks of, once each; kept for the baseline and for runs that wait for a word.
create table feeds.keys (
  run_id bigint not null references feeds.runs (id) on delete cascade,
  key    text   collate "C" not null,
  primary key (run_id, key)
);

-- What a run would do, and whether it has: in the feed's order, removals last.
create table feeds.changes (
  run_id  bigint  not null references feeds.runs (id) on delete cascade,
  n       bigint  not null,
  line    int,
  key     text    collate "C" not null,
  outcome text    not null check (outcome in ('created', 'changed', 'removed')),
  says    json    not null, -- what the feed states, in its kind's own shape
  changes json    not null, -- field, oldValue, newValue
  done    boolean not null default false,
  error   text,
  primary key (run_id, n)
);
