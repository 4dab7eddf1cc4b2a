create table notes  (id text primary key, version bigint not null, text text not null check (text <> 'unstorable'));
create table copies (id text primary key, version bigint not null, text text not null);
-- no unique key on the event: a test counts how often each was written down
create table diary  (n bigint generated always as identity, event_id uuid not null, entity text not null, version bigint not null);
