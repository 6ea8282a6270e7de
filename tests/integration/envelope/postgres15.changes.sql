set timezone = 'UTC';
insert into ext (id,h,l,c,x,i,i13,ea,cu,sg,q,lt,qi,ha,la,ca,xa) values (1, 'a=>1, "b c"=>"x\"y", n=>NULL', 'Top.Science', 'CiText', '<a b="c">&lt;</a>', '1-4133-0454-0', '978-0-393-04002-9', '978-0-393-04002-9', '(1,2)', '1.5', '*.a', 'a & b', '1&2', array['a=>1'::hstore, null], '{a.b,c.d}', '{A,b,null}', array['<a/>'::xml]),
 (2, '', '', '', '', null, null, null, null, null, null, null, null, '{}', '{}', '{}', '{}'), (3,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null), (4, 'z=>é, a=>"",aa=>1,b=>2', null, null, '<?xml version="1.0"?><a>é</a>', null, null, null, null, null, null, null, null, null, null, '{"com,ma","qu\"ote"}', null);
insert into ext_nn values (1, 'a=>1', 'a.b', 'c', '<a/>', '1-4133-0454-0', array['a=>1'::hstore], '{a.b}', '{c}', 'v'); delete from ext_nn;
insert into ext (id, h, c, x, l, ha, la, ca) select 10, hstore(array_agg(md5(g::text)), array_agg(md5(g::text))), string_agg(md5(g::text),''), ('<a>' || string_agg(md5(g::text),'') || '</a>')::xml, string_agg(md5(g::text),'.')::ltree, array_agg(hstore('a', md5(g::text))), array_agg(md5(g::text)::ltree), array_agg(md5(g::text)) from generate_series(1,80) g;
update ext set sg = '2' where id = 10;
insert into one values (1); insert into extdom values (1, 'a=>1', 'Ab', 'a.b'), (2, null, null, null);
