-- Events that a process has seen and the log has no more: their commits were lost, by a failover to a standby that lagged or a backup restored in place.
-- While one of them is not accepted nothing is written, so that no other event takes such a position in silence.
create table lockstep.lost (
  id          uuid        primary key,
  position    bigint      not null,
  type        text        not null,
  key         text        not null,
  entity      text        not null,
  version     bigint      not null,
  source      text        not null,
  at          timestamptz not null,
  data        json        not null,
  meta        json        not null,
  found_at    timestamptz not null default clock_timestamp(),
  accepted_at timestamptz
);
create index lost_and_not_accepted on lockstep.lost (position) where accepted_at is null;

-- Moves a consumer's checkpoint from where its owner left it, or fails: when its epoch is over, and when a database that lost commits has it elsewhere.
create function lockstep.advance(consumer text, held bigint, since bigint, upto bigint) returns timestamptz language plpgsql as $$
declare
  moved_at timestamptz;
begin
  update lockstep.consumers c
  set    position = upto, updated_at = clock_timestamp()
  where  c.name = consumer and c.epoch = held and c.position = since
  returning c.updated_at into moved_at;
  if not found then
    raise exception '% has another owner, or was set to another position', consumer using errcode = 'LS001';
  end if;
  return moved_at;
end $$;
