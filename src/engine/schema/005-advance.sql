-- Moves a consumer's checkpoint, or fails when its epoch is over: so the commit can be sent with it and will not happen.
create function lockstep.advance(consumer text, held bigint, upto bigint) returns timestamptz language plpgsql as $$
declare
  moved_at timestamptz;
begin
  update lockstep.consumers c
  set    position = upto, updated_at = clock_timestamp()
  where  c.name = consumer and c.epoch = held
  returning c.updated_at into moved_at;
  if not found then
    raise exception '% has another owner, or was set to another position', consumer using errcode = 'LS001';
  end if;
  return moved_at;
end $$;
