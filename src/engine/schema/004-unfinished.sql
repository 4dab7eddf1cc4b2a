-- Keys whose event a consumer has handled, while work that the event asked for still goes on: they are pending until it is finished.
create table lockstep.unfinished (
  consumer text        not null references lockstep.consumers (name) on delete cascade,
  key      text        not null,
  position bigint      not null, -- of the event that asked for it
  since    timestamptz not null default clock_timestamp(),
  primary key (consumer, key)
);
create index unfinished_by_key on lockstep.unfinished (key);
