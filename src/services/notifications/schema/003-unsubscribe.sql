-- What the link in a mail says: whoever has it may decline the mail's topic for its customer, and nothing else.
alter table notifications.mails add column token uuid not null default gen_random_uuid();
create unique index mails_token on notifications.mails (token);
