-- Units of a level that are not for sale: available = on hand − reserved − safety stock, and never less than none.
alter table inventory.levels add safety_stock bigint not null default 0 check (safety_stock >= 0);
