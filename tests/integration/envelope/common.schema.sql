-- Tables of every type, identity and default that a source may have; Debezium's lines for changes.sql are recorded
-- in debezium.jsonl. A domain over an enum is left out: Debezium does not start where there is one.
create type mood as enum ('sad', 'ok', 'happy "quoted"', 'naïve,comma');
create type pair as (a integer, b text);
create type nested as (p pair, q numeric(5,2)[]);
create domain d_bool as boolean;
create domain d_int2 as smallint;
create domain d_int as integer check (value > -1000000);
create domain d_int_nested as d_int;
create domain d_bigint as bigint;
create domain d_real as real;
create domain d_double as double precision;
create domain d_numeric as numeric(8,3);
create domain d_numeric_plain as numeric;
create domain d_money as money;
create domain d_text as text;
create domain d_varchar as varchar(20);
create domain d_char as char(6);
create domain d_bytea as bytea;
create domain d_date as date;
create domain d_time as time(3);
create domain d_timetz as timetz(2);
create domain d_ts as timestamp(3);
create domain d_ts0 as timestamp(0);
create domain d_ts_plain as timestamp;
create domain d_tstz as timestamptz(3);
create domain d_interval as interval;
create domain d_uuid as uuid;
create domain d_json as json;
create domain d_jsonb as jsonb;
create domain d_inet as inet;
create domain d_bit as bit(5);
create domain d_bit1 as bit(1);
create domain d_varbit as varbit(9);
create domain d_int_array as integer[];
create domain d_range as int4range;
create domain d_pair as pair;
create domain d_point as point;
create domain d_tsvector as tsvector;
create type float_range as range (subtype = float8);

create table numbers (id integer primary key, b boolean, i2 smallint, i4 integer, i8 bigint, f4 real, f8 double precision,
  n numeric, n82 numeric(8,2), n5 numeric(5), n38 numeric(38,10), m money, o oid);
create table neg_scale (id integer primary key, n numeric(5,-2), nn numeric(3,5));
create table texts (
    id integer primary key, c1 char, c5 char(5), v varchar, v10 varchar(10), t text, n name, ic "char", bp bpchar);
create table bytes (id integer primary key, b bytea);
create table dates (
    id integer primary key, d date, ts timestamp, ts0 timestamp(0), ts1 timestamp(1), ts3 timestamp(3),
    ts4 timestamp(4), ts6 timestamp(6));
create table datestz (
    id integer primary key, tz timestamptz, tz0 timestamptz(0), tz3 timestamptz(3), tz6 timestamptz(6));
create table times (id integer primary key, t time, t0 time(0), t1 time(1), t2 time(2), t3 time(3), t4 time(4), t5 time(5), t6 time(6),
  z timetz, z0 timetz(0), z1 timetz(1), z2 timetz(2), z3 timetz(3), z6 timetz(6));
create table intervals (
    id integer primary key, i interval, i0 interval(0), i3 interval(3), iym interval year to month,
    ids interval day to second, ih interval hour);
create table structured (id integer primary key, u uuid, j json, jb jsonb, jp jsonpath);
create table network (id integer primary key, i inet, c cidr, m macaddr, m8 macaddr8);
create table bits (
    id integer primary key, b1 bit, b1x bit(1), b2 bit(2), b8 bit(8), b9 bit(9), b33 bit(33), v varbit,
    v1 varbit(1), v12 varbit(12));
create table ranges (
    id integer primary key, i4 int4range, i8 int8range, nr numrange, tsr tsrange, tstzr tstzrange, dr daterange,
    fr float_range);
create table multiranges (
    id integer primary key, i4 int4multirange, i8 int8multirange, nr nummultirange, tsr tsmultirange,
    tstzr tstzmultirange, dr datemultirange, fr float_multirange);
create table enums (id integer primary key, m mood, ms mood[]);
create table composites (id integer primary key, p pair, n nested, ps pair[]);
create table domains (id integer primary key, d_bool d_bool, d_int2 d_int2, d_int d_int, d_int_nested d_int_nested, d_bigint d_bigint, d_real d_real, d_double d_double,
  d_numeric d_numeric, d_numeric_plain d_numeric_plain, d_money d_money, d_text d_text, d_varchar d_varchar, d_char d_char, d_bytea d_bytea, d_date d_date, d_time d_time,
  d_timetz d_timetz, d_ts d_ts, d_ts0 d_ts0, d_ts_plain d_ts_plain, d_tstz d_tstz, d_interval d_interval, d_uuid d_uuid, d_json d_json, d_jsonb d_jsonb, d_inet d_inet,
  d_bit d_bit, d_bit1 d_bit1, d_varbit d_varbit, d_int_array d_int_array, d_range d_range, d_pair d_pair, d_point d_point, d_tsvector d_tsvector);
create table domain_arrays (id integer primary key, a d_int[], b d_text[]);
create table arrays1 (
    id integer primary key, b boolean[], i2 smallint[], i4 integer[], i8 bigint[], f4 real[],
    f8 double precision[], n numeric[], n82 numeric(8,2)[], m money[], o oid[]);
create table arrays2 (
    id integer primary key, c1 char[], c5 char(5)[], v varchar[], v10 varchar(10)[], t text[], n name[],
    by bytea[], u uuid[], j json[], jb jsonb[]);
create table arrays3 (
    id integer primary key, d date[], ts timestamp[], ts3 timestamp(3)[], tz timestamptz[], tz3 timestamptz(3)[],
    t time[], t3 time(3)[], z timetz[], i interval[]);
create table arrays4 (
    id integer primary key, ip inet[], ci cidr[], ma macaddr[], m8 macaddr8[], b1 bit[], b3 bit(3)[], vb varbit[],
    r int4range[], nr numrange[], tr tstzrange[], mr int4multirange[], po point[], tv tsvector[]);
create table arrays5 (id integer primary key, dr daterange[], i8r int8range[], tsr tsrange[]);
create table geometry (id integer primary key, p point, l line, ls lseg, b box, pa path, po polygon, c circle);
create table search (id integer primary key, tv tsvector, tq tsquery);
create table oids (
    id integer primary key, o oid, rc regclass, rt regtype, rp regproc, x xid, c cid, ti tid, ln pg_lsn,
    sn pg_snapshot, x8 xid8, rr regrole, rn regnamespace, tx txid_snapshot, iv int2vector, ov oidvector);

create table nn (id integer primary key, b boolean not null, i2 smallint not null, i4 integer not null, i8 bigint not null, f4 real not null, f8 double precision not null, n numeric not null, n82 numeric(8,2) not null, m money not null, o oid not null,
 c1 char not null, c5 char(5) not null, v varchar not null, v10 varchar(10) not null, t text not null, nm name not null, by bytea not null, d date not null, ts timestamp not null, ts3 timestamp(3) not null, tz timestamptz not null, tz3 timestamptz(3) not null, tm time not null, tm3 time(3) not null, tmz timetz not null,
 iv interval not null, u uuid not null, j json not null, jb jsonb not null, ip inet not null, ci cidr not null, ma macaddr not null, b1 bit not null, b5 bit(5) not null, vb varbit not null, vb1 varbit(1) not null, r int4range not null, tr tstzrange not null, e mood not null, ea mood[] not null, ia integer[] not null, ta text[] not null, p point not null, tv tsvector not null, di d_int not null, dt d_text not null, dn d_numeric not null, dts d_ts not null, pr pair not null);
create table nnd (id integer primary key, b boolean not null default true, i2 smallint not null default 7, i4 integer not null default 8, i8 bigint not null default 9, f8 double precision not null default 1.5, n numeric not null default 1.50, n82 numeric(8,2) not null default 2.5,
 t text not null default 'dflt', v varchar(10) not null default 'vd', c5 char(5) not null default 'c', d date not null default '2024-01-01', ts timestamp not null default '2024-01-01 10:00', tz timestamptz not null default '2024-01-01 10:00+00', dn date not null default current_date, tn timestamptz not null default now(), u uuid not null default gen_random_uuid(), e mood not null default 'ok', ia integer[] not null default '{1,2}', s serial not null, iv interval not null default '1 day', by bytea not null default 'abc', j jsonb not null default '{"a":1}',
 dnull date default '2024-01-01', tnull text default 'optional default');
create table ridx (a integer not null, b text not null, c text, d integer, e text not null);
create unique index ridx_i on ridx (a, b); alter table ridx replica identity using index ridx_i;
create table rfull (a integer, b text, c numeric(5,1), d jsonb not null); alter table rfull replica identity full;
create table rnone (a integer, b text not null);
create table pk2 (a integer, b text, c text, d text not null, primary key (b, a));
create table fullpk (id integer primary key, v text, w numeric not null); alter table fullpk replica identity full;
create table "Quoted Name.With dot" ("Id" integer primary key, "a b" text, "c""d" text, "é" text);
create schema "My Schema"; create table "My Schema"."T" (id integer primary key);
create table gen (id integer primary key, a integer, b integer generated always as (a * 2) stored, c text);
create table part (
    id integer, k text, v text,
    primary key (id, k)) partition by list (k); create table part_a partition of part for values in ('a'); create table part_b partition of part for values in ('b');
create table dropped (id integer primary key, gone text, kept text); alter table dropped drop column gone;
create table ident (id integer generated always as identity primary key, v text);

create table toast (id integer primary key, changes integer,
    t text, vc varchar, vcn varchar(900), bp char(70), by bytea, j json, jb jsonb, n numeric, n2 numeric(200,2),
    vb varbit, vbn varbit(700), bn bit(600), tv tsvector, nr numrange, ba boolean[], i2 smallint[], i4 integer[],
    i8 bigint[], f4 real[], f8 float8[], na numeric[], nna numeric(8,2)[], oa oid[], ca char(3)[], ta text[],
    va varchar[], vna varchar(50)[], bya bytea[], ua uuid[], ja json[], jba jsonb[], da date[], tsa timestamp[],
    ts3a timestamp(3)[], tza timestamptz[], tma time[], tmza timetz[], ea mood[], ia inet[], cia cidr[],
    maa macaddr[], ra int4range[], tra tstzrange[], dt d_text, dby d_bytea, dj d_jsonb, dia d_int_array,
    tdef text default 'with default');
alter table toast set (toast_tuple_target = 128);
alter table toast alter t set storage external, alter vc set storage external, alter vcn set storage external,
    alter bp set storage external, alter by set storage external, alter j set storage external,
    alter jb set storage external, alter n set storage external, alter n2 set storage external,
    alter vb set storage external, alter vbn set storage external, alter bn set storage external,
    alter tv set storage external, alter nr set storage external, alter ba set storage external,
    alter i2 set storage external, alter i4 set storage external, alter i8 set storage external,
    alter f4 set storage external, alter f8 set storage external, alter na set storage external,
    alter nna set storage external, alter oa set storage external, alter ca set storage external,
    alter ta set storage external, alter va set storage external, alter vna set storage external,
    alter bya set storage external, alter ua set storage external, alter ja set storage external,
    alter jba set storage external, alter da set storage external, alter tsa set storage external,
    alter ts3a set storage external, alter tza set storage external, alter tma set storage external,
    alter tmza set storage external, alter ea set storage external, alter ia set storage external,
    alter cia set storage external, alter maa set storage external, alter ra set storage external,
    alter tra set storage external, alter dt set storage external, alter dby set storage external,
    alter dj set storage external, alter dia set storage external, alter tdef set storage external;
create table toast_full (
    id integer primary key, changes integer, t text, b bytea, n numeric, a integer[], v varbit,
    other text default 'x');
alter table toast_full replica identity full;
alter table toast_full alter t set storage external, alter b set storage external, alter n set storage external, alter a set storage external, alter v set storage external;
alter table toast_full set (toast_tuple_target = 128);

create sequence defseq;
create table defs (
    id integer primary key, b boolean default true, i2 smallint default '-7', i4 integer default -8,
    i4c integer default 1+1, i8 bigint default 9, i8b bigint default 9223372036854775807, f4 real default 1.5,
    f8 float8 default -2.5, f8n float8 default 'NaN', n numeric default -1.50, nnan numeric default 'NaN',
    n82 numeric(8,2) default 2.5, m money default '1.50', o oid default 5, c1 char default 'x',
    c5 char(5) default 'ab', v varchar default 'it''s', v10 varchar(10) default 'vd', t text default 'a"b',
    te text default E'a\nb', tf text default upper('x'), tcat text default 'a' || 'b', nm name default 'nm',
    by bytea default 'abc', d date default '2024-01-02', dinf date default 'infinity',
    dc date default current_date, ts timestamp default '2024-01-02 10:00:00.123456',
    ts3 timestamp(3) default '2024-01-02 10:00:00.123', tsn timestamp default now(),
    tsinf timestamp default 'infinity', tsl timestamp default localtimestamp,
    tsc timestamptz default current_timestamp, tsc3 timestamptz(3) default current_timestamp(3),
    tz timestamptz default '2024-01-02 10:00:00.5+00', tz3 timestamptz(3) default '2024-01-02 10:00:00.5+00',
    tzn timestamptz default now(), tzu timestamp default timezone('utc', now()), tm time default '10:00:00.5',
    tm3 time(3) default '10:00', tmn time default localtime, tmz timetz default '10:00+01',
    iv interval default '1 day 2 hours', u uuid default 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    ug uuid default gen_random_uuid(), j json default '{"a": 1}', jb jsonb default '{"b":2}',
    jbo jsonb default jsonb_build_object(), ip inet default '10.0.0.1', ci cidr default '10.0.0.0/8',
    ma macaddr default '08:00:2b:01:02:03', b1 bit default B'1', b5 bit(5) default B'10101',
    vb varbit default B'101', vb1 varbit(1) default B'1', r int4range default '[1,5)', e mood default 'ok',
    eq mood default 'happy "quoted"', ea mood[] default '{ok}', ia integer[] default '{1,2}',
    ta text[] default '{a,b}', ta2 text[] default array['x'], p point default '(1,2)', tv tsvector default 'a',
    di d_int default 3, dt d_text default 'x', dn d_numeric default 1.5, sq integer default nextval('defseq'),
    sq8 bigint default nextval('defseq'::regclass), nul integer default null, nult text default null,
    nult2 text default null::text, nuln numeric(5,2) default null, bx boolean default (1 > 2));
create table defs_nn (
    id integer primary key, b boolean not null default true, i2 smallint not null default '-7',
    i4 integer not null default -8, i4c integer not null default 1+1, i8 bigint not null default 9,
    i8b bigint not null default 9223372036854775807, f4 real not null default 1.5, f8 float8 not null default -2.5,
    f8n float8 not null default 'NaN', n numeric not null default -1.50, nnan numeric not null default 'NaN',
    n82 numeric(8,2) not null default 2.5, m money not null default '1.50', o oid not null default 5,
    c1 char not null default 'x', c5 char(5) not null default 'ab', v varchar not null default 'it''s',
    v10 varchar(10) not null default 'vd', t text not null default 'a"b', te text not null default E'a\nb',
    tf text not null default upper('x'), tcat text not null default 'a' || 'b', nm name not null default 'nm',
    by bytea not null default 'abc', d date not null default '2024-01-02', dinf date not null default 'infinity',
    dc date not null default current_date, ts timestamp not null default '2024-01-02 10:00:00.123456',
    ts3 timestamp(3) not null default '2024-01-02 10:00:00.123', tsn timestamp not null default now(),
    tsinf timestamp not null default 'infinity', tsl timestamp not null default localtimestamp,
    tsc timestamptz not null default current_timestamp, tsc3 timestamptz(3) not null default current_timestamp(3),
    tz timestamptz not null default '2024-01-02 10:00:00.5+00',
    tz3 timestamptz(3) not null default '2024-01-02 10:00:00.5+00', tzn timestamptz not null default now(),
    tzu timestamp not null default timezone('utc', now()), tm time not null default '10:00:00.5',
    tm3 time(3) not null default '10:00', tmn time not null default localtime,
    tmz timetz not null default '10:00+01', iv interval not null default '1 day 2 hours',
    u uuid not null default 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', ug uuid not null default gen_random_uuid(),
    j json not null default '{"a": 1}', jb jsonb not null default '{"b":2}',
    jbo jsonb not null default jsonb_build_object(), ip inet not null default '10.0.0.1',
    ci cidr not null default '10.0.0.0/8', ma macaddr not null default '08:00:2b:01:02:03',
    b1 bit not null default B'1', b5 bit(5) not null default B'10101', vb varbit not null default B'101',
    vb1 varbit(1) not null default B'1', r int4range not null default '[1,5)', e mood not null default 'ok',
    eq mood not null default 'happy "quoted"', ea mood[] not null default '{ok}',
    ia integer[] not null default '{1,2}', ta text[] not null default '{a,b}',
    ta2 text[] not null default array['x'], p point not null default '(1,2)', tv tsvector not null default 'a',
    di d_int not null default 3, dt d_text not null default 'x', dn d_numeric not null default 1.5,
    sq integer not null default nextval('defseq'), sq8 bigint not null default nextval('defseq'::regclass),
    bx boolean not null default (1 > 2));

create table ui (a integer, b text not null); create unique index on ui (a); alter table ui replica identity full;
create table ui2 (a integer, b text not null); create unique index on ui2 (lower(b)); alter table ui2 replica identity full;
create table ui3 (a integer, b text not null); create unique index on ui3 (b) where a > 0; alter table ui3 replica identity full;
create table ui4 (a integer not null, b text not null); create unique index ui4_z on ui4 (b); create unique index ui4_a on ui4 (a); alter table ui4 replica identity full;
create table ui5 (a integer, b text not null); create index on ui5 (b); alter table ui5 replica identity full;
create table pkidx (id integer primary key, k text not null unique, v text not null); alter table pkidx replica identity using index pkidx_k_key;
create table pknone (id integer primary key, v text not null); alter table pknone replica identity nothing;
create table refc (id integer primary key, r refcursor, x xid8, ac aclitem, pn pg_node_tree, nm name);
create table prec (
    id integer primary key, tz1 timestamptz(1), tz2 timestamptz(2), tz4 timestamptz(4), tz5 timestamptz(5),
    ts2 timestamp(2), ts5 timestamp(5), z4 timetz(4), z5 timetz(5));
create table arrs (
    id integer primary key, n numeric[], n3 numeric(10,3)[], en mood[], f4 real[], f8 float8[], nm name[],
    ic "char"[], tm0 time(0)[], tm6 time(6)[], tz0 timestamptz(0)[], ts0 timestamp(0)[], ts6 timestamp(6)[],
    tmz timetz[], b boolean[], u uuid[], ip inet[], xm bytea[], d date[], iv interval[], mn money[]);
