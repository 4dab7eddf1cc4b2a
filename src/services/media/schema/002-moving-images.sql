-- Recipe 2 makes what moves into WebP that moves; of everything else it makes what the first one made.
update media.assets set recipe = 2 where asset ->> 'contentType' not in ('image/gif', 'image/webp');
