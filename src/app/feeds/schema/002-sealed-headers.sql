-- What opens the value of a feed's header, which its definition has sealed: a copy of the one without the other tells nobody.
create table feeds.header_keys (
  feed text collate "C" primary key references feeds.feeds (name) on delete cascade,
  key  text not null
);
