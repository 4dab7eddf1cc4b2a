create table items (id text primary key, version bigint not null, payload json not null);
create table copies_1 (id text primary key, version bigint not null, payload text not null);
create table copies_2 (like copies_1 including all);
create table copies_3 (like copies_1 including all);
create table copies_4 (like copies_1 including all);
create table copies_5 (like copies_1 including all);
create table copies_6 (like copies_1 including all);
