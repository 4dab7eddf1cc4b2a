-- Units sold beyond what is on hand: at most `backorder`, the limit of the level, and none while there is one on hand. What comes in fills them first.
-- The ledger's on_hand columns count both in one: below zero is what is backordered.
alter table inventory.levels
  add backordered bigint not null default 0 check (backordered >= 0),
  add check (backordered <= backorder),
  add check (backordered = 0 or on_hand = 0),
  add check (reserved + backordered <= on_hand + backorder);
