-- Types of pgvector, and columns that only newer servers have.
create extension vector;
create table vec (id integer primary key, v vector, v3 vector(3), h halfvec(3), s sparsevec(5), va vector[], vt text);
create table vec_nn (id integer primary key, v vector not null, h halfvec(3) not null, s sparsevec(5) not null, vt text);
alter table vec alter v set storage external;
create table gen18 (id integer primary key, a integer, v integer generated always as (a + 1) virtual, s integer generated always as (a + 2) stored);
create table spans (id integer primary key, span interval);
