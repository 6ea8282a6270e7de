-- Types of extensions and of a server built with libxml.
create extension hstore; create extension ltree; create extension citext; create extension isn; create extension cube; create extension seg; create extension intarray;
create table ext (
    id integer primary key, h hstore, l ltree, c citext, x xml, i isbn, i13 isbn13, ea ean13, cu cube, sg seg,
    q lquery, lt ltxtquery, qi query_int, ha hstore[], la ltree[], ca citext[], xa xml[], hd hstore default 'a=>1',
    cd citext default 'x', xd xml default '<a/>', ld ltree default 'a.b');
create table ext_nn (
    id integer primary key, h hstore not null, l ltree not null, c citext not null, x xml not null,
    i isbn not null, ha hstore[] not null, la ltree[] not null, ca citext[] not null, v text);
alter table ext alter h set storage external, alter c set storage external, alter x set storage external, alter l set storage external,alter ha set storage external, alter la set storage external, alter ca set storage external;
create table one (id integer primary key);
create domain d_hstore as hstore; create domain d_citext as citext; create domain d_ltree as ltree;
create table extdom (id integer primary key, h d_hstore, c d_citext, l d_ltree);
