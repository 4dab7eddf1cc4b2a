-- An eighth of the shop, the same products always: what very many products match is counted among these (`facets.ts`).
create index products_sampled on search.products using gin (words) where live and (hashtext(product_id) & 7) = 0;

-- Every question reads what updates have left to be filed later, up to 4 MB by default; with 50 pages of it a question took 15 % longer.
alter index search.products_words   set (gin_pending_list_limit = 128);
alter index search.products_sampled set (gin_pending_list_limit = 64);
