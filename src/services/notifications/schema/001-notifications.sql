create schema notifications;

create table notifications.sent (
  event_id   uuid        primary key,
  position   bigint      not null,
  type       text        not null,
  product_id text        not null,
  sku        text        not null,
  available  bigint      not null,
  threshold  bigint      not null,
  trigger    text        not null,
  at         timestamptz not null default now()
);

create index sent_position on notifications.sent (position desc);
