-- What a link leads to may change: it is looked at again, and shows what it was until then.
alter table media.links
  add column again         boolean     not null default false, -- ready, and to be fetched again when due
  add column etag          text,                               -- what its server said of the content, to ask for another alone
  add column last_modified text,
  add column looked_at     timestamptz;                        -- when it was last known what it leads to, or given up to know; uploads never change

update media.links set looked_at = changed_at where state = 'ready' and host <> '';

drop index media.links_due_at_idx;
create index on media.links (due_at) where state = 'wanted' or again;

-- When its links were last noted to be looked at again, so that most changes of a product look at no link.
alter table media.wanted add column seen_at timestamptz not null default now();

-- What may move and was made a still.
update media.links l
   set again = true, due_at = clock_timestamp()
  from media.assets a
 where a.hash = l.hash and a.recipe < 2 and l.state = 'ready';
