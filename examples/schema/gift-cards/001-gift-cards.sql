create table gift_cards (
  id      text   primary key,
  version bigint not null,
  cents   bigint not null check (cents >= 0)
);
