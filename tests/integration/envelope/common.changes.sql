set timezone = 'UTC';
insert into numbers values
 (1, true, 32767, 2147483647, 9223372036854775807, 3.4028235e38, 1.7976931348623157e308, 123456789012345678901234567890.123456789, 123456.78, 12345, 1234567890123456789012345678.0123456789, '$1,234.56', 4294967295),
 (2, false, -32768, -2147483648, -9223372036854775808, 'NaN', 'NaN', 'NaN', 'NaN', 'NaN', 'NaN', '-$92233720368547758.08', 0),
 (3, null, null, null, null, null, null, null, null, null, null, null, null),
 (4, true, 0, 0, 0, 'Infinity', 'Infinity', 'Infinity', 0, 0, 0, 0, 1),
 (5, true, 1, 1, 1, '-Infinity', '-Infinity', '-Infinity', -0.10, -1, 1.1, 0.01, 2147483648),
 (6, true, 1, 1, 1, 0.1, 0.1, 1.10, 1.5, 7, 1e-10, '0.1', 10),
 (7, true, 1, 1, 1, 1e-45, 5e-324, 0.000000000000001, 100, 100, 100, '12', 10),
 (8, true, 1, 1, 1, 1e10, 1e10, 1e20, 1.00, 1, 1, '-0.05', 10),
 (9, true, 1, 1, 1, 123456.789, 123456.789, 1e-20, 1.00, 1, 1, '-5', 10),
 (10, true, 1, 1, 1, 1e7, 1e7, 100, 1.00, 1, 1, '-5', 10),
 (11, true, 1, 1, 1, 12345678, 12345678.9, 0.0, 1.00, 1, 1, '-5', 10),
 (12, true, 1, 1, 1, 1e-3, 1e-3, -0.000, 1.00, 1, 1, '-5', 10),
 (13, true, 1, 1, 1, 1e-4, 1e-4, 12e3, 1.00, 1, 1, '-5', 10),
 (14, true, 1, 1, 1, '-0', '-0', 0.1e-6, 1.00, 1, 1, '-5', 10),
 (15, true, 1, 1, 1, 3, 1e22, 123, 1.00, 1, 1, '-5', 10),
 (16, true, 1, 1, 1, 16777216, 123456789012345680, 123, 1.00, 1, 1, '-5', 10),
 (17, true, 1, 1, 1, 1.17549435e-38, 2.2250738585072014e-308, 123, 1.00, 1, 1, '-5', 10),
 (18, true, 1, 1, 1, 9999999, 9999999, 123, 1.00, 1, 1, '-5', 10),
 (19, true, 1, 1, 1, 2e-3, 2e-44, 123, 1.00, 1, 1, '-5', 10),
 (20, true, 1, 1, 1, 1.0e23, 1.0e23, 123, 1.00, 1, 1, '-5', 10),
 (21, true, 1, 1, 1, 2.0e-44, 2.0e-3, 123, 1.00, 1, 1, '-5', 10),
 (22, true, 1, 1, 1, 33554432, 9007199254740993, 123, 1.00, 1, 1, '-5', 10);
insert into neg_scale values (1, 12345, 0.00123), (2, 1234567, 0.00001), (3, 0, 0), (4, null, null), (5, -1250, -0.00999);
insert into texts values (1, 'a', 'ab', 'v', 'v10', 'plain', 'aname', 'q', 'bp  '),
 (2, ' ', '     ', '', '', '', '', '', ''),
 (3, null, null, null, null, null, null, null, null),
 (4, 'é', 'é€😀', E'tab\tnl\ncr\rff\fbs\bquote"back\\slash/', 'x', E'\x01\x02\x1f\x7f\u0080\u009f\u2028\u2029😀𝄞', 'n"a', '\', ' lead'),
 (5, '"', '"\"', 'null', 'NULL', '\N', 'true', E'\001', '{}'),
 (6, 'a', 'a b', '<a href="x">&amp;''</a>', '', E'\ufeffbom'::text, '', '', '') on conflict do nothing;
insert into bytes values (1, ''), (2, '\x00ff7f80'), (3, null), (4, 'text'), (5, decode(repeat('ab', 100), 'hex')), (6, '\x41'), (7, '\x4142'), (8, '\xfbff');
insert into dates values
 (1, '2024-02-29', '2024-02-29 12:34:56.789012', '2024-02-29 12:34:56.789012', '2024-02-29 12:34:56.789012', '2024-02-29 12:34:56.789012', '2024-02-29 12:34:56.789012', '2024-02-29 12:34:56.789012'),
 (2, 'infinity', 'infinity', 'infinity', 'infinity', 'infinity', 'infinity', 'infinity'),
 (3, '-infinity', '-infinity', '-infinity', '-infinity', '-infinity', '-infinity', '-infinity'),
 (4, null, null, null, null, null, null, null),
 (5, '0044-03-15 BC', '0044-03-15 12:00:00.5 BC', '0044-03-15 12:00:00 BC', '0044-03-15 12:00:00 BC', '0044-03-15 12:00:00.5 BC', '0044-03-15 12:00:00 BC', '0044-03-15 12:00:00.123456 BC'),
 (6, '0001-01-01', '0001-01-01', '0001-01-01', '0001-01-01', '0001-01-01', '0001-01-01', '0001-01-01'),
 (7, '1970-01-01', '1970-01-01', '1970-01-01', '1970-01-01', '1970-01-01', '1970-01-01', '1970-01-01'),
 (8, '1969-12-31', '1969-12-31 23:59:59.999999', '1969-12-31 23:59:59', '1969-12-31 23:59:59.9', '1969-12-31 23:59:59.999', '1969-12-31 23:59:59.9999', '1969-12-31 23:59:59.999999'),
 (9, '9999-12-31', '9999-12-31 23:59:59.999999', '9999-12-31 23:59:59', '9999-12-31 23:59:59.9', '9999-12-31 23:59:59.999', '9999-12-31 23:59:59.9999', '9999-12-31 23:59:59.999999'),
 (10, '10000-01-01', '10000-01-01', '10000-01-01', '10000-01-01', '10000-01-01', '10000-01-01', '10000-01-01'),
 (11, '5874897-12-31', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59', '294276-12-31 23:59:59.9', '294276-12-31 23:59:59.999', '294276-12-31 23:59:59.9999', '294276-12-31 23:59:59.999999'),
 (12, '4713-01-01 BC', '4713-01-01 BC', '4713-01-01 BC', '4713-01-01 BC', '4713-01-01 BC', '4713-01-01 BC', '4713-01-01 BC'),
 (13, '1582-10-10', '1582-10-10', '1582-10-04', '1582-10-05', '1582-10-14', '1582-10-15', '1000-02-28'),
 (14, '0001-12-31 BC', '0001-12-31 BC', '0001-12-31 23:59:59 BC', '0001-02-29 BC', '0001-12-31 BC', '0001-12-31 BC', '0001-12-31 BC'),
 (15, '1900-03-01', '1900-03-01 10:00', '1700-02-28', '1500-02-28', '1200-01-01', '800-01-01', '0100-03-01'),
 (16, '1400-02-28', '2262-04-11 23:47:16.854775', '2262-04-11 23:47:16', '2262-04-12', '2262-04-11 23:47:16.854', '2300-01-01', '2263-01-01'),
 (17, '1500-03-01', '1677-09-21 00:12:43.145224', '1677-09-21', '1677-09-20', '1677-09-21 00:12:43.145', '1500-01-01', '1600-01-01');
insert into datestz values
 (1, '2024-02-29 12:34:56.789012+00', '2024-02-29 12:34:56.789012+00', '2024-02-29 12:34:56.789012+00', '2024-02-29 12:34:56.789012+00'),
 (2, 'infinity', 'infinity', 'infinity', 'infinity'), (3, '-infinity', '-infinity', '-infinity', '-infinity'), (4, null, null, null, null),
 (5, '0044-03-15 12:00:00.5+00 BC', '0044-03-15 12:00:00+00 BC', '0044-03-15 12:00:00.5+00 BC', '0044-03-15 12:00:00.123456+00 BC'),
 (6, '0001-01-01 00:00:00+00', '0001-01-01 00:00:00+00', '0001-01-01 00:00:00+00', '0001-01-01 00:00:00+00'),
 (7, '1970-01-01 00:00:00+00', '1970-01-01 00:00:00+00', '1970-01-01 00:00:00+00', '1970-01-01 00:00:00+00'),
 (8, '9999-12-31 23:59:59.999999+00', '9999-12-31 23:59:59+00', '9999-12-31 23:59:59.999+00', '9999-12-31 23:59:59.999999+00'),
 (9, '10000-01-01 00:00:00+00', '10000-01-01 00:00:00+00', '10000-01-01 00:00:00+00', '10000-01-01 00:00:00+00'),
 (10, '294276-12-31 23:59:59.999999+00', '294276-12-31 23:59:59+00', '294276-12-31 23:59:59.999+00', '294276-12-31 23:59:59.999999+00'),
 (11, '4713-01-01 00:00:00+00 BC', '4713-01-01 00:00:00+00 BC', '4713-01-01 00:00:00+00 BC', '4713-01-01 00:00:00+00 BC'),
 (12, '2024-03-31 01:30:00+01', '2024-10-27 01:30:00+01', '2024-10-27 01:30:00.12+00', '1000-01-01 00:00:00+00'),
 (13, '2024-01-01 00:00:00.1+00', '1582-10-10 00:00:00+00', '2024-01-01 00:00:00.12+00', '2024-01-01 00:00:00.123+00'),
 (14, '2024-01-01 00:00:00.1234+00', '1500-02-28 00:00:00+00', '2024-01-01 00:01:00+00', '2024-01-01 00:00:00.12345+00'),
 (15, '0001-12-31 00:00:00+00 BC', '1500-02-28 00:00:00+00', '2024-01-01 00:01:00+00', '2024-01-01 00:00:00.00001+00');
insert into times values
 (1, '12:34:56.789012', '12:34:56', '12:34:56.7', '12:34:56.78', '12:34:56.789', '12:34:56.789', '12:34:56.78901', '12:34:56.789012', '12:34:56.789012+00', '12:34:56+01', '12:34:56.7-05:30', '12:34:56.78+00', '12:34:56.789+14', '12:34:56.789012-12'),
 (2, '24:00:00', '24:00:00', '24:00:00', '24:00:00', '24:00:00', '24:00:00', '24:00:00', '24:00:00', '24:00:00+00', '24:00:00+00', '24:00:00+00', '24:00:00+00', '24:00:00+02', '24:00:00-03'),
 (3, '00:00:00', '00:00:00', '00:00:00', '00:00:00', '00:00:00', '00:00:00', '00:00:00', '00:00:00', '00:00:00+00', '00:00:00+00', '00:00:00+00', '00:00:00+00', '00:00:00+02', '00:00:00-03'),
 (4, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
 (5, '23:59:59.999999', '23:59:59', '23:59:59.9', '23:59:59.99', '23:59:59.999', '23:59:59.9999', '23:59:59.99999', '23:59:59.999999', '23:59:59.999999+15:59', '23:59:59-15:59', '23:59:59.9+05:45', '23:59:59.99+01', '23:59:59.999+01', '23:59:59.999999+00'),
 (6, '01:00:00', '01:00:00', '01:00:00', '01:00:00', '01:00', '01:00', '01:00', '01:00', '01:00+00', '01:00+01', '01:00:00.5+00', '01:00:00.05+00', '01:00:00.005+00', '01:00:00.000005+00'),
 (7, '01:02:00', '01:00:00', '01:00:00', '01:00:00', '01:00', '01:00', '01:00', '01:00', '01:02:00+00', '01:02:00+01', '01:02:00+00', '01:02:00.10+00', '01:02:00.120+00', '01:02:00.120+00');
insert into intervals values
 (1, '1 year 2 mons 3 days 04:05:06.789012', '1 year 2 mons 3 days 04:05:06.789012', '1 year 2 mons 3 days 04:05:06.789012', '1 year 2 mons', '3 days 04:05:06.7', '5 hours'),
 (2, '0', '0', '0', '0', '0', '0'), (3, null, null, null, null, null, null),
 (4, '-1 year -2 mons +3 days -04:05:06.5', '-1 sec', '-0.001 sec', '-1 mon', '-1 day', '-1 hour'),
 (5, '1000000 hours', '1 mon', '1 day', '12 years', '100 days 00:00:00.000001', '0 hour'),
 (6, '178000000 years', '0.5 sec', '0.000001 sec', '1 year', '23:59:59.999999', '1 hour'),
 (7, '-178000000 years', '1 year -1 day', '1 mon -1 day', '-12 year -11 mons', '1 day -00:00:00.000001', '-100 hour'),
 (8, '00:00:00.5', '00:00:10', '00:00:00.120', '11 mons', '00:01:00', '1 day'),
 (9, '-00:00:00.5', '-00:00:10', '-00:00:00.120', '14 mons', '-00:01:00', '1 day'),
 (10, '1 mon -00:00:00.5', '3 days -00:10', '-00:00:00.000120', '14 mons', '-1 day -00:01:00', '1 day'),
 (11, '-5 days 100:00:00', '3 days -00:10', '01:00', '14 mons', '-1 day -00:01:00', '1 day');
insert into structured values
 (1, 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{"a" :  1, "a": 2, "b": [1.50, null]}', '{"b": 1.50, "a": "é\"\\\u0001", "c": [true, {}]}', '$.a[*] ? (@ > 1)'),
 (2, '00000000-0000-0000-0000-000000000000', 'null', 'null', null), (3, null, null, null, null),
 (4, null, '"str"', '"str"', null), (5, null, E'[1,\n 2]', '12345678901234567890.123', null), (6, null, '  {"u": "\u00e9\ud83d\ude00"}', '{}', null);
insert into network values (1, '192.168.0.1', '192.168.0.0/24', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05'),
 (2, '192.168.0.1/24', '10.0.0.0/8', '08-00-2b-01-02-03', '08:00:2b:01:02:03'), (3, null, null, null, null), (4, '::1', '::/0', null, null),
 (5, '2001:db8::ff00:42:8329/64', '2001:db8::/32', null, null), (6, '0.0.0.0/0', '192.168.1.1/32', null, null), (7, '::ffff:1.2.3.4', '::1/128', 'FF:FF:FF:FF:FF:FF', 'FF:FF:FF:FF:FF:FF:FF:FF');
insert into bits values (1, '1', '0', '10', '10101010', '101010101', repeat('1', 33)::bit(33), '1', '1', '101'),
 (2, '0', '1', '00', '00000000', '000000001', repeat('0', 33)::bit(33), '', '', ''), (3, null, null, null, null, null, null, null, null, null),
 (4, '1', '1', '01', '00000001', '100000000', (B'1' || repeat('0', 32)::varbit)::bit(33), repeat('10', 40)::varbit, '0', '000000000001'),
 (5, '1', '1', '11', '11111111', '011111111', repeat('10', 17)::varbit::bit(33), '0000000000000', '0', '0000'), (6, '0', '1', '11', '10000000', '011111111', repeat('10', 17)::varbit::bit(33), '10000000', '1', '100000000000');
insert into ranges values (1, '[1,10)', '[1,10]', '(1.5,2.50]', '[2024-01-01,2024-01-02 12:00:00.5)', '[2024-01-01 00:00:00+00,2024-01-02 12:00:00.5+00)', '[2024-01-01,2024-01-31]', '[1.5,2e10)'),
 (2, 'empty', 'empty', 'empty', 'empty', 'empty', 'empty', 'empty'), (3, null, null, null, null, null, null, null),
 (4, '(,)', '(,5)', '[1,)', '(,)', '[-infinity,infinity]', '[infinity,)', '(,)'), (5, '[5,5]', '[5,5]', '[5.00,5.00]', '["0044-03-15 BC",2024-01-01]', '["0044-03-15 00:00:00+00 BC",]', '["0044-03-15 BC",]', '[NaN,)');
insert into multiranges values (1, '{[1,3),[5,8)}', '{[1,3),[5,8)}', '{[1.5,3),[5,8.00)}', '{[2024-01-01,2024-01-02)}', '{[2024-01-01 00:00+00,2024-01-02 00:00+00)}', '{[2024-01-01,2024-01-02),[2025-01-01,)}', '{[1.5,2)}'),
 (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}'), (3, null, null, null, null, null, null, null);
insert into enums values (1, 'sad', '{sad,ok,"happy \"quoted\"","naïve,comma",null}'), (2, 'happy "quoted"', '{}'), (3, null, null), (4, 'naïve,comma', '{{sad,ok},{ok,sad}}');
insert into composites values (1, '(1,"text, with ""quotes""")', row(row(1, 'x'), '{1.50,2.25}'), array[row(1, 'a')::pair, null, row(null, '')::pair]), (2, '(,)', null, '{}'), (3, null, null, null), (4, '(5,)', row(null, null), null);
insert into domains values (1, true, 2, 3, 4, 5, 1.5, 2.5, 12.345, 1.10, 9.99, 'txt', 'vc', 'ch', '\x0102', '2024-02-29', '12:34:56.789', '12:34:56.78+01', '2024-02-29 12:34:56.789', '2024-02-29 12:34:56', '2024-02-29 12:34:56.789012',
  '2024-02-29 12:34:56.789+00', '1 year 2 days', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 1}', '{"b": 2}', '10.0.0.1', '10101', '1', '101', '{1,2,null}', '[1,5)', '(1,x)', '(1,2)', 'a fat cat'),
 (3, true, 2, 3, 4, 5, 'NaN', '-Infinity', 'NaN', 'Infinity', -1, '', '', '', '', 'infinity', '24:00', '24:00+00', 'infinity', '-infinity', '0044-03-15 BC',
  'infinity', '-1 mon', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'null', 'null', '10.0.0.1/8', '00000', '0', '', '{}', 'empty', '(,)', '(NaN,Infinity)', '');
insert into domains (id) values (2);
insert into domain_arrays values (1, '{1,2}', '{a,null,"b c"}'), (2, null, null), (3, '{}', '{}');
insert into arrays1 values (1, '{t,f,null}', '{1,-2,null}', '{1,-2,null}', '{1,9223372036854775807,null}', '{1.5,NaN,Infinity,null}', '{1.5,NaN,-Infinity,1e300,null}', '{1.10,NaN,null,123456789012345678901234567890}', '{1.1,2.25,null}', '{$1.50,null,-2}', '{1,4294967295,null}'),
 (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'), (3, null, null, null, null, null, null, null, null, null, null),
 (4, '{{t,f},{f,t}}', '{{1,2},{3,4}}', '{{1,2},{3,null}}', '{{{1},{2}}}', '{{1,2}}', '{{1,2}}', '{{1.10,2}}', '{{1,2}}', null, null),
 (5, '{t}', '[0:2]={1,2,3}', '[-1:0]={1,2}', '{1}', '{1}', '{1}', '{Infinity}', '{NaN}', null, null);
insert into arrays2 values (1, '{a,b,null," "}', '{a,"b c",null}', '{a,"quote\"d","back\\slash","com,ma","{brace}",null,"null","NULL",""," "}', '{x,null}', '{é,😀,null,"new
line"}', '{abc,null}', '{"\\x0102",null,""}', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,null}', array['{"a": "b,c"}', 'null', null]::json[], array['{"a": "b,c"}', 'null', null, '"q"']::jsonb[]),
 (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'), (3, null, null, null, null, null, null, null, null, null, null),
 (4, '{{a,b}}', '{{a,b}}', '{{a,b},{c,d}}', '{{x}}', '{{a,null},{"",d}}', null, null, '{{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}}', null, null);
insert into arrays3 values (1, '{2024-02-29,null,0044-03-15 BC,infinity,-infinity,1582-10-10}', '{2024-02-29 12:34:56.789012,null}', '{2024-02-29 12:34:56.789,null}', '{2024-02-29 12:34:56.789012+00,null}', '{2024-02-29 12:34:56.789+00,null}', '{12:34:56.789012,null}', '{12:34:56.789,null}', '{12:34:56.789012+01,null}', '{1 year 2 days,null,-00:00:01}'),
 (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'), (3, null, null, null, null, null, null, null, null, null);
insert into arrays3 (id, ts, tz) values (4, '{infinity,-infinity,0044-03-15 12:00 BC,1582-10-10,9999-12-31 23:59:59.999999}', '{2024-02-29 12:34:56.789012+00,0044-03-15 12:00+00 BC,1582-10-10 00:00+00}');
insert into arrays4 values (1, '{10.0.0.1,null,::1/64}', '{10.0.0.0/8,null}', '{08:00:2b:01:02:03,null}', '{08:00:2b:01:02:03:04:05,null}', '{1,0,null}', '{101,null}', '{1,10101010101,null}', '{"[1,5)",null,empty}', '{"[1.5,5)",null}', '{"[2024-01-01 00:00+00,)",null}', '{"{[1,2)}",null}', '{"(1,2)",null}', '{"a fat",null}'),
 (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'), (3, null, null, null, null, null, null, null, null, null, null, null, null, null);
insert into arrays5 values (1, '{"[2024-01-01,2024-01-05)",null}', '{"[1,5)"}', '{"[2024-01-01,2024-01-05)"}'), (2, '{}', '{}', '{}'), (3, null, null, null);
insert into geometry values (1, '(1.5,-2.25)', '{1,2,3}', '[(1,2),(3,4)]', '(1,2),(3,4)', '[(1,2),(3,4)]', '((1,2),(3,4),(5,6))', '<(1,2),3>'), (2, '(1e300,1e-300)', null, null, null, '((1,2),(3,4))', null, null), (3, null, null, null, null, null, null, null), (4, '(NaN,Infinity)', null, null, null, null, null, null), (5, '(0.1,-0)', null, null, null, null, null, null);
insert into search values (1, 'a fat cat:2,3A sat:4', 'fat & (cat | rat)'), (2, '', ''), (3, null, null), (4, '''it''''s'' ''sp ace'' back\\slash', null);
insert into oids values (1, 1, 'pg_class', 'int4', 'now', '1', '1', '(0,1)', '16/B374D848', '10:20:10,14,15', '1', 'postgres', 'public', '10:20:10,14,15', '1 2 3', '4 5'), (2, 4294967295, null, null, null, null, null, null, '0/0', null, null, null, null, null, '', ''), (3, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);
insert into nn values (1, true, 1,1,1,1,1,1,1,1,1,'a','a','a','a','a','a','a','2024-01-01','2024-01-01','2024-01-01','2024-01-01','2024-01-01','10:00','10:00','10:00+00','1 day','a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11','1','1','10.0.0.1','10.0.0.0/8','08:00:2b:01:02:03','1','10101','1','1','[1,2)','[2024-01-01,)','ok','{ok}','{1}','{a}','(1,2)','a',1,'a',1,'2024-01-01','(1,a)');
delete from nn;
insert into nnd (id, dn, tn, u) values (1, '2024-01-01', '2024-01-01 00:00+00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'); update nnd set id = 2; update nnd set t = null where false; delete from nnd;

insert into ridx values (1, 'b', 'c', 4, 'e'); update ridx set c = 'c2'; update ridx set b = 'b2'; delete from ridx;
insert into rfull values (1, 'b', 1.5, '{}'), (null, null, null, '1'); update rfull set b = 'b2' where a = 1; delete from rfull;
insert into rnone values (1, 'b');
insert into pk2 values (1, 'b', 'c', 'd'); update pk2 set c = 'c2'; update pk2 set a = 2, c = 'c3'; update pk2 set a=2, b='b'; delete from pk2;
insert into fullpk values (1, 'v', 1.5); update fullpk set v = 'w'; update fullpk set id = 2; delete from fullpk;
insert into "Quoted Name.With dot" values (1, 'a', 'b', 'c'); update "Quoted Name.With dot" set "a b" = null; delete from "Quoted Name.With dot";
insert into "My Schema"."T" values (1);
insert into gen values (1, 2, default, 'c'); update gen set a = 3; delete from gen;
insert into part values (1, 'a', 'x'), (2, 'b', 'y'); update part set v = 'z'; update part set k = 'b' where id = 1; delete from part;
insert into dropped values (1, 'kept'); update dropped set kept = 'k2';
insert into ident (v) values ('a'); update ident set v = 'b'; 
begin; insert into dropped values (2, 'a'); alter table dropped add column added text default 'def'; insert into dropped values (3, 'b', 'c'); update dropped set kept = 'q' where id = 1; alter table dropped rename column kept to held; update dropped set held = 'r' where id = 1; alter table dropped alter column held type integer using 5; update dropped set added = 's' where id = 1; alter table dropped drop column added; insert into dropped values (9, 9); commit;
insert into dropped values (10, 10);
alter table dropped add column n2 numeric(5,1) not null default 2; insert into dropped values (11, 11, 3); delete from dropped where id = 11;
truncate dropped; truncate ident restart identity; 
select pg_logical_emit_message(true, 'pre"fix', 'content é'), pg_logical_emit_message(false, 'nontx', E'\\x00ff'::bytea);
begin; insert into ident (v) values ('m1'); select pg_logical_emit_message(true, 'in', 'side'); savepoint a; insert into ident (v) values ('m2'); rollback to a; insert into ident (v) values ('m3'); select pg_logical_emit_message(false, 'nt', 'early'); commit;

insert into toast (id, changes, t, vc, vcn, bp, by, j, jb, n, n2, vb, vbn, bn, tv, nr, ba, i2, i4, i8, f4, f8, na, nna, oa, ca, ta, va, vna, bya, ua, ja, jba, da, tsa, ts3a, tza, tma, tmza, ea, ia, cia, maa, ra, tra, dt, dby, dj, dia, tdef)
values (1, 0,
    'some text some text some text some text some text some text some text some text ',
    'some text some text some text some text some text some text some text some text ',
    'some text some text some text some text some text some text some text some text ', 'padded',
    '\x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff',
    '{"a": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}',
    '{"a": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}',
    123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890,
    123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890,
    B'101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010',
    B'101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010',
    B'101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010',
    'word0 word1 word2 word3 word4 word5 word6 word7 word8',
    '[0,123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890)',
    array_fill(true, array[60]), array_fill(7::int2, array[30]), array_fill(7, array[30]),
    array_fill(7::bigint, array[30]), array_fill(7::real, array[30]), array_fill(7::float8, array[30]),
    array_fill(7.5, array[30]), array_fill(7.5, array[30]), array_fill(7::oid, array[30]),
    array_fill('abc'::char(3), array[30]), array_fill('abc'::text, array[30]), array_fill('abc'::text, array[30]),
    array_fill('abc'::text, array[30]), array_fill('abc'::bytea, array[30]),
    array_fill('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, array[9]), array_fill('[1]'::json, array[30]),
    array_fill('[1]'::jsonb, array[30]), array_fill(date '2024-01-01', array[30]),
    array_fill(timestamp '2024-01-01', array[30]), array_fill(timestamp '2024-01-01', array[30]),
    array_fill(timestamptz '2024-01-01 00:00+00', array[30]), array_fill(time '10:00', array[30]),
    array_fill(timetz '10:00+00', array[30]), array_fill('ok'::mood, array[30]),
    array_fill('10.0.0.1'::inet, array[30]), array_fill('10.0.0.0/8'::cidr, array[30]),
    array_fill('08:00:2b:01:02:03'::macaddr, array[30]), array_fill('[1,5)'::int4range, array[30]),
    array_fill('[2024-01-01 00:00+00,)'::tstzrange, array[30]),
    'some text some text some text some text some text some text some text some text ',
    '\x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff',
    '{"a": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}', array_fill(7, array[30]),
    'some text some text some text some text some text some text some text some text ');
update toast set changes = 1;
update toast set changes = 2, t = null;
delete from toast;
insert into toast_full values (1, 0, repeat('some text ', 200), decode(repeat('00ff', 500), 'hex'), repeat('1234567890', 40)::numeric, array_fill(7, array[60]), repeat('10', 400)::varbit);
update toast_full set changes = 1;
delete from toast_full;
insert into defs values (1, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null); delete from defs; insert into defs_nn (id, dc, tsn, tsl, tsc, tsc3, tzn, tzu, tmn, ug)
values (1, '2024-01-01', '2024-01-01', '2024-01-01', '2024-01-01 00:00+00', '2024-01-01 00:00+00', '2024-01-01 00:00+00', '2024-01-01', '10:00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'); delete from defs_nn;

insert into ui values (1,'a'); update ui set a = 2; update ui set b = 'c'; delete from ui;
insert into ui2 values (1,'a'); update ui2 set b = 'x'; delete from ui2;
insert into ui3 values (1,'a'); update ui3 set b = 'x'; delete from ui3;
insert into ui4 values (1,'a'); update ui4 set b = 'x'; update ui4 set a = 3; delete from ui4;
insert into ui5 values (1,'a'); update ui5 set b = 'x'; delete from ui5;
insert into pkidx values (1,'k','v'); update pkidx set v='w'; update pkidx set k='k2'; update pkidx set id = 2; update pkidx set id=3, k='k3'; delete from pkidx;
insert into pknone values (1,'v');
insert into refc values (1, 'r', '5', null, null, 'nm');
update refc set r = null;
insert into prec values (1, '2024-01-01 00:00:00.123456+00', '2024-01-01 00:00:00.123456+00', '2024-01-01 00:00:00.123456+00', '2024-01-01 00:00:00.123456+00', '2024-01-01 00:00:00.123456', '2024-01-01 00:00:00.123456', '10:00:00.123456+00', '10:00:00.123456+00'),
 (2, '2024-01-01 00:00:00+00', '2024-01-01 00:00:00+00', '2024-01-01 00:00:00+00', '2024-01-01 00:00:00+00', '2024-01-01 00:00:00', '2024-01-01 00:00:00', '10:00:00+00', '10:00:00.1+00'),
 (3, '0044-01-01 00:00:00+00 BC', '12024-01-01 00:00:00+00', 'infinity', '-infinity', 'infinity', '0044-01-01 BC', '24:00:00+00', '24:00:00-01');
insert into arrs values (1, '{1.10,1e20,1e-10,0,-5}', '{1.1,NULL,0}', '{ok,sad}', '{1e-45,1.17549435e-38,3.4028235e38,0.1}', '{1e23,5e-324,-0,1e7,1e-4}', '{a}', '{a,b}', '{10:00,24:00,23:59:59}', '{10:00:00.123456,24:00,00:00}', '{2024-01-01 00:00+00,infinity,-infinity}', '{2024-01-01 10:00,infinity}', '{0001-01-01 00:00,294276-12-31 23:59:59.999999}', '{10:00:00.123456+00,24:00+00,23:00-05:30,00:00+14}', '{true}', '{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}', '{10.0.0.0/8}', '{"\\x00ff"}', '{0001-01-01,0001-12-31 BC,1582-10-04,1582-10-15,9999-12-31,10000-01-01,1000-02-28,4713-01-01 BC,5874897-12-31}', '{1 day}', '{1}'),
 (2, '{NaN}', '{NaN}', '{ok,null}', '{NaN,-0,1e7,1e10,123456.79}', '{}', null, '{"\\","\""}', '{00:00:00}', '{00:00:00.000001}', '{0044-03-15 12:00+00 BC}', '{0044-03-15 12:00:00 BC}', '{1582-10-04 12:00,1582-10-14 12:00,1582-10-15 12:00,1000-02-28 00:00,0001-01-01 00:00 BC}', '{10:00-12,10:00:00+15:59}', null, null, null, null, '{infinity}', null, null),
 (3, '{Infinity}', null, '{"happy \"quoted\""}', '{}', '{}', null, null, null, null, '{1582-10-04 00:00+00,1582-10-15 00:00+00,9999-12-31 23:59:59.5+00,10000-01-01 00:00+00,1000-01-01 00:00+00,2024-03-31 01:30+01}', null, null, null, null, null, null, null, '{-infinity}', null, null),
 (4, '{{1,2},{3,4}}', null, '{"naïve,comma"}', null, null, null, null, '{{10:00}}', null, '{{2024-01-01 00:00+00}}', '{{2024-01-01 00:00}}', null, '{{10:00+00}}', null, null, null, '{{"\\x00"}}', '{{2024-01-01}}', null, null),
 (5, '[2:3]={1,2}', null, '{{ok}}', '[0:0]={1.5}', null, null, '{{a}}', null, null, null, null, null, null, null, null, '{{10.0.0.1,10.0.0.2}}', null, null, null, null);
