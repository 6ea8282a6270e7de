-- Inventory database of an unmetered supplies operator (UMSO): street lights, signs, kiosks. No meters.

create table unmetered_supply (
    mpan            varchar(13) primary key check (mpan ~ '^[0-9]{13}$'),
    supplier_mpid   varchar(4) not null,
    supplier_from   date not null,
    status          varchar(3) not null check (status in ('ON', 'OFF', 'UNK')),
    status_from     date not null,
    charge_code     varchar(13) not null,
    switch_regime   varchar(3) not null,
    item_count      integer not null check (item_count > 0),
    inventory       jsonb not null,
    last_certified  timestamptz not null default now()
);
comment on column unmetered_supply.inventory is 'Each item of the supply; long, so that it is kept out of line.';

create table location (
    mpan      varchar(13) primary key references unmetered_supply,
    line_1    varchar(40),
    line_2    varchar(40),
    line_3    varchar(40),
    line_4    varchar(40),
    line_5    varchar(40),
    line_6    varchar(40),
    line_7    varchar(40),
    line_8    varchar(40),
    line_9    varchar(40),
    postcode  varchar(10),
    uprn      varchar(12)
);

create table ums_contract (
    supplier_mpid    varchar(4) not null,
    contract_ref     varchar(10) not null,
    from_date        date not null,
    to_date          date,
    primary key (supplier_mpid, contract_ref)
);

create table ums_appointment (
    mpan          varchar(13) not null,
    from_date     date not null,
    to_date       date,
    supplier_mpid varchar(4) not null,
    contract_ref  varchar(10),
    status        char(1) not null check (status in ('P', 'A', 'L', 'X', 'E')),
    scenario      char(3) not null,
    primary key (mpan, from_date)
);
comment on column ums_appointment.status is 'Proposed, Accepted, Live, lapsed (X), Ended.';

alter table unmetered_supply replica identity full;
alter table location replica identity full;
alter table unmetered_supply alter column inventory set storage external;
