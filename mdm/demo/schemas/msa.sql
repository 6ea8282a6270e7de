-- Meter-asset database of an advanced metering service (MSA). Current values only, updated in place; codes are enums.

create type energised as enum ('Y', 'N', 'U');
create type appointment_status as enum ('proposed', 'accepted', 'active', 'lapsed', 'ended');

create table metering_system (
    mpan_core        char(13) primary key check (mpan_core ~ '^[0-9]{13}$'),
    supplier_id      char(4) not null,
    supplier_efd     date not null,
    energised        energised not null,
    energised_efd    date not null,
    last_modified    timestamptz not null default now()
);

create table premises (
    mpan_core  char(13) primary key references metering_system,
    addr_1     varchar(40),
    addr_2     varchar(40),
    addr_3     varchar(40),
    addr_4     varchar(40),
    addr_5     varchar(40),
    addr_6     varchar(40),
    addr_7     varchar(40),
    addr_8     varchar(40),
    addr_9     varchar(40),
    postcode   varchar(10),
    uprn       varchar(12)
);

create table meter (
    mpan_core     char(13) not null references metering_system,
    meter_serial  varchar(10) not null,
    meter_make    varchar(60),
    meter_model   varchar(60),
    meter_type    varchar(5) not null,
    location_code char(1),
    dials         smallint,
    install_date  date not null,
    remove_date   date,
    primary key (mpan_core, meter_serial, install_date)
);

create table meter_provider (
    mpan_core    char(13) not null references metering_system,
    meter_serial varchar(10) not null,
    meter_make   varchar(60),
    provider_id  char(4) not null,
    efd          date not null,
    primary key (mpan_core, meter_serial, efd)
);

create table contract (
    supplier_id      char(4) not null,
    contract_no      varchar(10) not null,
    valid_from       date not null,
    valid_to         date,
    connection_types varchar(5) not null,
    segments         varchar(3) not null,
    primary key (supplier_id, contract_no)
);

create table agent_appointment (
    mpan_core    char(13) not null,
    efd          date not null,
    etd          date,
    supplier_id  char(4) not null,
    contract_no  varchar(10),
    status       appointment_status not null,
    scenario     char(3) not null,
    primary key (mpan_core, efd)
);
