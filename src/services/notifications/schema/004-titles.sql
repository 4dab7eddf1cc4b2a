-- What the product was called when its stock crossed; null where no event had told of it.
alter table notifications.sent add column title text;
