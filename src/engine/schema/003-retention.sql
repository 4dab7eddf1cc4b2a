-- Up to this position the log is thinned: of each entity the last event of each type is left, and what a failure points to.
create table lockstep.thinned (
  one      boolean primary key default true check (one),
  position bigint  not null
);
insert into lockstep.thinned (position) values (0);

create function lockstep.partition_size() returns bigint language sql immutable as 'select 1000000::bigint';

-- An empty table with a partition's columns, indexes and range, so that attaching it need not look at its rows.
create function lockstep.make_partition(part text, n bigint) returns void language plpgsql as $$
declare
  size constant bigint := lockstep.partition_size();
begin
  execute format('create table lockstep.%I (like lockstep.events including all)', part);
  -- the last line against two first versions of one entity; a partitioned table can't have it as a whole
  execute format('create unique index %I on lockstep.%I (entity, version)', part || '_by_entity', part);
  execute format('alter table lockstep.%I add constraint range check (position >= %s and position < %s)', part, n * size, (n + 1) * size);
end $$;

create function lockstep.attach_partition(part text, n bigint) returns void language plpgsql as $$
declare
  size constant bigint := lockstep.partition_size();
begin
  execute format('alter table lockstep.events attach partition lockstep.%I for values from (%s) to (%s)', part, n * size, (n + 1) * size);
  execute format('alter table lockstep.%I drop constraint range', part);
end $$;

create or replace function lockstep.ensure_partitions(upto bigint) returns void language plpgsql as $$
declare
  first bigint := upto / lockstep.partition_size();
  n     bigint;
  part  text;
begin
  perform pg_advisory_xact_lock(hashtext('lockstep.ensure_partitions'));
  for n in first .. first + 1 loop
    part := 'events_' || n;
    if to_regclass('lockstep.' || part) is null then
      perform lockstep.make_partition(part, n);
      perform lockstep.attach_partition(part, n);
    end if;
  end loop;
end $$;

-- Puts a small table of what is to be kept in the place of the oldest full partition, and drops that one. Answers its last position, or null when it
-- must stay: it is one of the newest two, a consumer is not past it, or an event in it is not old enough. Whatever follows an entity or any of its
-- types finds the last state as before. Copying locks nothing; the exchange waits for readers and writers of the log, half a second at most.
create function lockstep.thin_oldest_partition(keep interval) returns bigint language plpgsql as $$
declare
  size  constant bigint := lockstep.partition_size();
  n     bigint;
  upto  bigint;
  part  text;
  kept  text;
begin
  if not pg_try_advisory_xact_lock(hashtext('lockstep.thin')) then return null; end if;
  select (position + 1) / size into n from lockstep.thinned;
  upto := (n + 1) * size - 1;
  part := 'events_' || n;
  kept := part || '_kept';
  if n + 2 > (select position / size from lockstep.head)
     or exists (select from lockstep.consumers where position < upto)
     or exists (select from lockstep.events where position between n * size and upto and at > clock_timestamp() - keep) then
    return null;
  end if;
  perform lockstep.make_partition(kept, n);
  execute format($sql$
    with last as materialized (
      select distinct on (entity, type) entity, type, position
      from   lockstep.%1$I
      order  by entity, type, position desc
    ), kept as (
      select l.position
      from   last l
      where  not exists (select from lockstep.events later where later.entity = l.entity and later.type = l.type and later.position > %3$s)
      union
      select position from lockstep.failures
    )
    insert into lockstep.%2$I
    select e.* from lockstep.%1$I e join kept using (position) order by position$sql$, part, kept, upto);
  execute format('analyze lockstep.%I', kept);
  perform set_config('lock_timeout', '500ms', true);
  execute format('alter table lockstep.events detach partition lockstep.%I', part);
  execute format('drop table lockstep.%I', part);
  execute format('alter table lockstep.%I rename to %I', kept, part);
  execute format('alter index lockstep.%I rename to %I', kept || '_by_entity', part || '_by_entity');
  perform lockstep.attach_partition(part, n);
  update lockstep.thinned set position = upto;
  return upto;
end $$;
