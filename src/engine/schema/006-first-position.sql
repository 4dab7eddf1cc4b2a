-- From where on a consumer may have missed the key's events: its failure or unfinished work moves on to newer versions, what it never applied does not.
alter table lockstep.failures   add column first_position bigint;
alter table lockstep.unfinished add column first_position bigint;
update lockstep.failures f
set    first_position = case c.kind when 'projection' then 0 else f.position end
from   lockstep.consumers c
where  c.name = f.consumer;
update lockstep.unfinished set first_position = 0;
alter table lockstep.failures   alter column first_position set not null;
alter table lockstep.unfinished alter column first_position set not null;
