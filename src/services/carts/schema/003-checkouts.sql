-- Which checkout is buying a cart, or bought it, is in the cart itself, and so in its events.
update carts.carts
set    cart = (cart::jsonb || jsonb_build_object('boughtBy', checkout_id))::json
where  checkout_id is not null;

alter table carts.carts drop column checkout_id;
