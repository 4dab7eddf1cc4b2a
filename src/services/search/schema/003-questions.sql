-- Words that mean each other (two-way) or stand for others (one-way), as they were given.
create table search.synonyms (
  position int    primary key,
  words    text[] not null,
  -- null: all of `words` mean each other
  means    text[]
);

-- What each of them is looked up by: words folded, one space apart.
create table search.synonym_words (
  phrase text   primary key,
  means  text[] not null
);

-- A cached answer stands while its tags have the generations it was made under; a change renews them in its own transaction. Rows stay for good:
-- a tag that began anew could have a generation it had before.
create table search.generations (
  tag        text   primary key,
  generation bigint not null
) with (fillfactor = 50);

-- What is typed so far: titles that begin with it, and the words that do.
create index products_titles    on search.products (sort_title text_pattern_ops, product_id) where live;
create index vocabulary_prefix on search.vocabulary (word text_pattern_ops);
