-- Registration database of one distributor (SMRS). Each independently dated item has its own history table:
-- a row holds from its effective_from until the next row's. Dates are local calendar days, inclusive.
-- What the registration's own forms let pass (removal before installation, overlapping periods, no contract
-- reference) the database lets pass too.

create table metering_point (
    mpan                varchar(13) primary key check (mpan ~ '^[0-9]{13}$'),
    mpan_status         char(1) not null check (mpan_status in ('N', 'R', 'T', 'X')),
    registration_status char(1) not null check (registration_status in ('C', 'O', 'T')),
    created_date        date not null,
    disconnection_date  date check (disconnection_date >= created_date),
    last_updated        timestamptz not null default now()
);

create table connection_type (
    mpan            varchar(13) not null references metering_point,
    effective_from  date not null,
    connection_type char(1) not null check (connection_type in ('W', 'L', 'H', 'E', 'U')),
    primary key (mpan, effective_from)
);

create table energy_direction (
    mpan             varchar(13) not null references metering_point,
    effective_from   date not null,
    energy_direction char(1) not null check (energy_direction in ('I', 'E')),
    primary key (mpan, effective_from)
);

create table metered_indicator (
    mpan           varchar(13) not null references metering_point,
    effective_from date not null,
    metered        boolean not null,
    primary key (mpan, effective_from)
);

create table gsp_group (
    mpan           varchar(13) not null references metering_point,
    effective_from date not null,
    gsp_group_id   char(2) not null check (gsp_group_id ~ '^_[A-HJ-NP]$'),
    primary key (mpan, effective_from)
);

create table duos_tariff (
    mpan           varchar(13) not null references metering_point,
    effective_from date not null,
    tariff_id      varchar(3) not null,
    primary key (mpan, effective_from)
);

create table market_segment (
    mpan           varchar(13) not null references metering_point,
    effective_from date not null,
    market_segment char(1) not null check (market_segment in ('S', 'A', 'U')),
    primary key (mpan, effective_from)
);

create table energisation_status (
    mpan                varchar(13) not null references metering_point,
    effective_from      date not null,
    energisation_status char(1) not null check (energisation_status in ('E', 'D', 'U')),
    primary key (mpan, effective_from)
);

create table domestic_premises (
    mpan           varchar(13) not null references metering_point,
    effective_from date not null,
    is_domestic    boolean not null,
    primary key (mpan, effective_from)
);

create table settlement_profile (
    mpan           varchar(13) not null references metering_point,
    effective_from date not null,
    profile_class  varchar(2),
    ssc            varchar(4),
    primary key (mpan, effective_from)
);

create table consent_granularity (
    mpan           varchar(13) not null references metering_point,
    effective_from date not null,
    granularity    char(1) not null,
    primary key (mpan, effective_from)
);

create table dcc_service_flag (
    mpan           varchar(13) not null references metering_point,
    effective_from date not null,
    service_flag   char(1) not null check (service_flag in ('A', 'I', 'N')),
    primary key (mpan, effective_from)
);

create table supplier_period (
    mpan           varchar(13) not null references metering_point,
    effective_from date not null,
    effective_to   date,
    supplier_mpid  varchar(4) not null,
    primary key (mpan, effective_from)
);

create table site_address (
    mpan           varchar(13) not null references metering_point,
    effective_from date not null,
    line_1         varchar(40),
    line_2         varchar(40),
    line_3         varchar(40),
    line_4         varchar(40),
    line_5         varchar(40),
    line_6         varchar(40),
    line_7         varchar(40),
    line_8         varchar(40),
    line_9         varchar(40),
    postcode       varchar(10),
    uprn           varchar(12),
    last_updated   timestamptz not null default now(),
    primary key (mpan, effective_from)
);

create table linked_metering_point (
    mpan           varchar(13) not null references metering_point,
    link_kind      varchar(9) not null check (link_kind in ('EXPORT', 'IMPORT', 'SECONDARY', 'PRIMARY')),
    linked_mpan    varchar(13) not null references metering_point,
    effective_from date not null,
    primary key (mpan, link_kind, effective_from)
);
comment on table linked_metering_point is
    'Each link stands twice: link_kind says what the linked metering point is to this one.';

create table meter_detail (
    mpan             varchar(13) not null references metering_point,
    meter_id         varchar(10) not null,
    make             varchar(60),
    model            varchar(60),
    meter_type       varchar(5),
    esme_id          varchar(23),
    location         char(1),
    displayed_digits smallint,
    installed_on     date,
    removed_on       date,
    primary key (mpan, meter_id)
);

create table meter_asset_provider (
    mpan           varchar(13) not null,
    meter_id       varchar(10) not null,
    make           varchar(60),
    effective_from date not null,
    provider_mpid  varchar(4) not null,
    primary key (mpan, meter_id, effective_from),
    foreign key (mpan, meter_id) references meter_detail
);

create table service_contract (
    supplier_mpid    varchar(4) not null,
    reference        varchar(10) not null,
    service_mpid     varchar(4) not null,
    service_role     varchar(4) not null check (service_role in ('MSS', 'MSA', 'UMSO')),
    effective_from   date not null,
    effective_to     date,
    connection_types varchar(5) not null,
    segments         varchar(3) not null,
    primary key (supplier_mpid, reference)
);
comment on table service_contract is 'Agreements as suppliers have notified them to registration.';

create table appointment (
    mpan               varchar(13) not null references metering_point,
    service_role       varchar(4) not null check (service_role in ('MSS', 'MSA', 'UMSO')),
    effective_from     date not null,
    effective_to       date,
    service_mpid       varchar(4) not null,
    supplier_mpid      varchar(4) not null,
    contract_reference varchar(10),
    status             varchar(12) not null
                       check (status in ('PROPOSED', 'ACCEPTED', 'ACTIVE', 'LAPSED', 'DE-APPOINTED')),
    scenario           char(3) not null,
    requested_at       timestamptz not null default now(),
    primary key (mpan, service_role, effective_from)
);
