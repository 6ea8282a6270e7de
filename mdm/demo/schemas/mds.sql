-- Settlement database of the market-wide data service (MDS): copies of what settlement needs of every point.

create table settlement_point (
    mpan             varchar(13) primary key,
    gsp_group        char(2) not null,
    connection_type  char(1) not null,
    direction        varchar(6) not null check (direction in ('IMPORT', 'EXPORT')),
    is_metered       char(1) not null check (is_metered in ('Y', 'N')),
    is_disconnected  boolean not null default false,
    loaded_at        timestamptz not null default now()
);

create table settlement_segment (
    mpan      varchar(13) not null references settlement_point,
    from_date date not null,
    segment   varchar(10) not null check (segment in ('SMART', 'ADVANCED', 'UNMETERED')),
    primary key (mpan, from_date)
);

create table settlement_supplier (
    mpan      varchar(13) not null references settlement_point,
    from_date date not null,
    to_date   date,
    supplier  varchar(4) not null,
    primary key (mpan, from_date)
);

create table settlement_energisation (
    mpan      varchar(13) primary key references settlement_point,
    status    char(1) not null check (status in ('1', '0', '?')),
    from_date date not null
);

create table settlement_meter (
    mpan         varchar(13) not null references settlement_point,
    meter_serial varchar(10) not null,
    from_date    date not null,
    to_date      date,
    primary key (mpan, meter_serial, from_date)
);

create table settlement_address (
    mpan      varchar(13) primary key references settlement_point,
    address_1 varchar(40),
    address_2 varchar(40),
    address_3 varchar(40),
    address_4 varchar(40),
    address_5 varchar(40),
    address_6 varchar(40),
    address_7 varchar(40),
    address_8 varchar(40),
    address_9 varchar(40),
    postcode  varchar(10),
    uprn      bigint
);

create table settlement_service (
    mpan      varchar(13) not null references settlement_point,
    role_code varchar(5) not null check (role_code in ('SMART', 'ADV', 'UMS')),
    from_date date not null,
    to_date   date,
    service   varchar(4) not null,
    primary key (mpan, role_code, from_date)
);
