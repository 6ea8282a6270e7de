-- Meter-asset database of a smart metering service (MSS). It calls a metering point a supply point (mpxn), a meter a
-- device, and dates energisation by instants. When a supply point leaves the service its rows are deleted; the
-- appointment stays as history.

create domain mpxn as varchar(13) check (value ~ '^[0-9]{13}$');

create table supply_point (
    mpxn           mpxn primary key,
    supplier       varchar(4) not null,
    supplier_since date not null,
    first_seen_at  timestamptz not null default now()
);

create table site (
    mpxn            mpxn primary key references supply_point,
    address_line_1  varchar(40),
    address_line_2  varchar(40),
    address_line_3  varchar(40),
    address_line_4  varchar(40),
    address_line_5  varchar(40),
    address_line_6  varchar(40),
    address_line_7  varchar(40),
    address_line_8  varchar(40),
    address_line_9  varchar(40),
    post_code       varchar(10),
    uprn            varchar(12),
    access_note     text
);

create table device (
    mpxn          mpxn not null references supply_point,
    serial_no     varchar(10) not null,
    manufacturer  varchar(60),
    model         varchar(60),
    device_type   varchar(5) not null,
    esme_guid     varchar(23),
    position_code char(1),
    digits        smallint check (digits between 0 and 9),
    fitted_on     date not null,
    removed_on    date,
    owner_mpid    varchar(4),
    owned_from    date,
    primary key (mpxn, serial_no, fitted_on)
);

create table energisation (
    mpxn         mpxn not null references supply_point,
    status_from  timestamptz not null,
    status       varchar(12) not null check (status in ('ENERGISED', 'DE-ENERGISED', 'UNKNOWN')),
    primary key (mpxn, status_from)
);

create table agreement (
    supplier         varchar(4) not null,
    agreement_ref    varchar(10) not null,
    start_date       date not null,
    end_date         date,
    connection_types varchar(5) not null,
    segments         varchar(3) not null,
    primary key (supplier, agreement_ref)
);

create table appointment (
    mpxn           mpxn not null,
    appointed_from date not null,
    appointed_to   date,
    supplier       varchar(4) not null,
    agreement_ref  varchar(10),
    state          varchar(6) not null check (state in ('PROP', 'ACC', 'LIVE', 'LAPSED', 'ENDED')),
    reason         char(3) not null,
    received_at    timestamptz not null default now(),
    primary key (mpxn, appointed_from)
);
