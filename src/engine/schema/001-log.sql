create schema lockstep;

-- The log's head: one row. Whoever appends bumps it and holds it until commit, so positions are gapless and in commit order.
create table lockstep.head (
  one      boolean primary key default true check (one),
  position bigint  not null
) with (fillfactor = 10);
insert into lockstep.head (position) values (0);

-- Every event ever appended. Partitions of a million positions, so that old events leave by dropping a table.
create table lockstep.events (
  position bigint      not null primary key,
  id       uuid        not null default uuidv7(),
  type     text        not null,
  key      text        not null,
  entity   text        not null,
  version  bigint      not null,
  source   text        not null,
  at       timestamptz not null,
  data     json        not null,
  meta     json        not null
) partition by range (position);
create index events_by_key    on lockstep.events (key, position);
create index events_by_time   on lockstep.events using brin (at) with (pages_per_range = 16);

-- Makes sure that the partition of the position and the one after it exist. Attaching takes a lock that lets writers through.
create function lockstep.ensure_partitions(upto bigint) returns void language plpgsql as $$
declare
  size  constant bigint := 1000000;
  first bigint := upto / size;
  n     bigint;
  part  text;
begin
  perform pg_advisory_xact_lock(hashtext('lockstep.ensure_partitions'));
  for n in first .. first + 1 loop
    part := 'events_' || n;
    if to_regclass('lockstep.' || part) is null then
      execute format('create table lockstep.%I (like lockstep.events including all)', part);
      -- the last line against two first versions of one entity; a partitioned table can't have it as a whole
      execute format('create unique index %I on lockstep.%I (entity, version)', part || '_by_entity', part);
      execute format('alter table lockstep.%I add constraint range check (position >= %s and position < %s)', part, n * size, (n + 1) * size);
      execute format('alter table lockstep.events attach partition lockstep.%I for values from (%s) to (%s)', part, n * size, (n + 1) * size);
      execute format('alter table lockstep.%I drop constraint range', part);
    end if;
  end loop;
end $$;
select lockstep.ensure_partitions(0);

-- One row for every command that was carried out: the same key gives the first answer again. No window in time.
create table lockstep.commands (
  scope       text        not null,
  key         text        not null,
  fingerprint text,
  answer      json        not null,
  at          timestamptz not null default clock_timestamp(),
  primary key (scope, key)
);
