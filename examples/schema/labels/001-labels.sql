create table labels_ordered (
  event_id   uuid primary key,
  product_id text not null
);
