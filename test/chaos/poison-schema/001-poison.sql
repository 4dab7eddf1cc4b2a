create table eaten  (id text primary key, version bigint not null);
create table tasted (event_id uuid not null);
