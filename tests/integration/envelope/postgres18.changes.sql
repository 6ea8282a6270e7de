set timezone = 'UTC';
insert into vec values (1, '[1,2.5,-3e10]', '[1,2,3]', '[1,2.5,0.1]', '{1:1.5,3:2}/5', '{"[1,2]"}', 'x'), (2,null,null,null,null,null,null), (3, '[0.1]', '[1e-20,1e20,0.33333334]', '[65504,0.00006,1]', '{}/5', '{}', 'y');
insert into vec_nn values (1, '[1]', '[1,2,3]', '{}/5', 'x');
insert into vec (id, v) select 9, array(select (g*7919%10000)::real from generate_series(1,700) g)::vector; update vec set vt = 'z' where id = 9;
insert into gen18 (id, a) values (1, 2);
insert into spans values (1, 'infinity'), (2, '-infinity'), (3, '1 day');
