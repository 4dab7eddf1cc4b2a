-- How far a new or changed list has asked the customers, in order of their ids; null: all of them.
alter table marketing.lists add column asked_up_to text collate "C";
create index lists_unasked on marketing.lists (id) where asked_up_to is not null;
