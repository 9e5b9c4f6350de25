-- The first schema. Times are milliseconds since 1970-01-01 UTC (`*_ms`), booleans are 0 or 1, ids are made by the
-- process (`epoch << 32 | counter`). The PostgreSQL file is the same text with `bigint` for `integer` and no `strict`.

create table installation (
    id text primary key,
    secret text not null,
    created_ms integer not null
) strict;

-- One row per number that counts up: node_epoch, event.
create table counter (
    name text primary key,
    value integer not null
) strict;

insert into counter (name, value) values ('node_epoch', 0), ('event', 0);

-- One process start. A later start under the same name ends the earlier rows.
create table node (
    epoch integer primary key,
    name text not null,
    boot integer not null,
    pid integer not null,
    started_ms integer not null,
    lease_until_ms integer not null,
    ended_ms integer
) strict;

create index node_name on node (name, epoch);

create table seller (
    id integer primary key,
    name text not null unique
) strict;

create table campaign (
    id integer primary key,
    name text not null unique,
    seller_id integer not null,
    state text not null,
    state_ms integer not null,
    first_run_ms integer
) strict;

create table list (
    id integer primary key,
    campaign_id integer not null,
    name text not null,
    unique (campaign_id, name)
) strict;

-- The person, per seller. `custom`: JSON array of [name, value] in the order of the file.
create table contact (
    id integer primary key,
    seller_id integer not null,
    external_id text,
    name text,
    language text,
    custom text not null,
    unique (seller_id, external_id)
) strict;

-- `key` is compared, `number` is dialed and shown. `zones`: JSON array of IANA names.
create table phone (
    id integer primary key,
    seller_id integer not null,
    contact_id integer not null,
    position integer not null,
    key text not null,
    number text not null,
    kind text,
    extension text,
    zones text not null,
    suspect_day integer,
    invalid integer not null default 0,
    unique (seller_id, contact_id, key)
) strict;

create index phone_contact on phone (contact_id, position);
create index phone_key on phone (key, seller_id);

-- Zone set, rule pack, overlay and audience that leads share.
create table calling_class (
    id integer primary key,
    descriptor text not null unique
) strict;

-- The classes a campaign's leads have ever had.
create table campaign_class (
    campaign_id integer not null,
    class_id integer not null,
    primary key (campaign_id, class_id)
) strict;

-- States: 0 ready, 1 waiting, 2 claimed, 3 done, 4 held, 5 blocked.
create table lead (
    id integer primary key,
    campaign_id integer not null,
    contact_id integer not null,
    next_phone_id integer,
    class_id integer not null,
    rank integer not null,
    state integer not null,
    due_ms integer not null,
    gate text,
    owner_agent_id integer,
    claimed_by integer,
    claim_no integer,
    fence integer not null default 0,
    attempts integer not null default 0,
    last_outcome text,
    same_outcome integer not null default 0,
    list_id integer not null,
    unique (campaign_id, contact_id)
) strict;

create index lead_ready on lead (campaign_id, class_id, rank, id) where state = 0;
create index lead_wait on lead (campaign_id, due_ms, id) where state = 1;
create index lead_claimed on lead (claimed_by, campaign_id, claim_no) where state = 2;
create index lead_owner on lead (owner_agent_id, due_ms) where owner_agent_id is not null;
create index lead_contact on lead (contact_id);
create index lead_count on lead (campaign_id, state);

-- `counted`: uses up an attempt (an open one does). `booked_*`: what it added to its window of the ledger:
-- `booked_answered`, `booked_abandoned` and `booked_fault` by its outcome, `booked_live` by a disposition.
create table attempt (
    id integer primary key,
    public_ref text not null unique,
    lead_id integer not null,
    fence integer not null,
    seller_id integer not null,
    contact_id integer not null,
    phone_id integer not null,
    phone_key text not null,
    number text not null,
    campaign_id integer not null,
    list_id integer not null,
    attempt_no integer not null,
    node_epoch integer not null,
    rules_id integer,
    trunk text not null,
    caller_id text not null,
    agent_id integer,
    uncovered integer not null,
    started_ms integer not null,
    early_ms integer,
    answered_ms integer,
    connected_ms integer,
    ended_ms integer,
    outcome text,
    first_outcome text,
    sip_status integer,
    q850 integer,
    counted integer not null,
    undelivered integer not null default 0,
    live integer,
    abandoned integer not null default 0,
    window_ms integer,
    booked_answered integer not null default 0,
    booked_abandoned integer not null default 0,
    booked_fault integer not null default 0,
    booked_live integer not null default 0,
    unique (lead_id, fence)
) strict;

-- No two live calls to a number, in whatever campaign.
create unique index attempt_live on attempt (phone_key) where ended_ms is null;
create index attempt_open on attempt (node_epoch) where ended_ms is null;
create index attempt_contact on attempt (seller_id, contact_id, started_ms);
create index attempt_number on attempt (seller_id, phone_key, started_ms);
create index attempt_campaign on attempt (campaign_id, started_ms);

-- One SIP dialog: of an attempt, or of an agent's shift (attempt_id is null). `call`, `route_set`: JSON.
create table leg (
    id integer primary key,
    attempt_id integer,
    leg_no integer not null,
    agent_id integer,
    node_epoch integer not null,
    trunk text,
    call text not null,
    started_ms integer not null,
    remote_tag text,
    remote_target text,
    route_set text,
    cseq integer,
    sip_status integer,
    q850 integer,
    early_ms integer,
    answered_ms integer,
    ended_ms integer
) strict;

create index leg_attempt on leg (attempt_id, leg_no) where attempt_id is not null;
create index leg_open on leg (node_epoch) where ended_ms is null;

-- What the agent says; the last word counts.
create table disposition (
    attempt_id integer primary key,
    agent_id integer not null,
    code text not null,
    memo text,
    at_ms integer not null
) strict;

-- States: 0 open, 1 replaced, 2 done.
create table callback (
    id integer primary key,
    attempt_id integer not null,
    lead_id integer not null,
    owner_agent_id integer,
    due_ms integer not null,
    window_end_ms integer not null,
    state integer not null default 0
) strict;

create index callback_attempt on callback (attempt_id);

-- `key`: of the number, `c:` and the contact's id for a person, empty for everybody. `seller_id` 0: every seller.
create table suppression (
    id integer not null,
    scope text not null,
    seller_id integer not null,
    key text not null,
    reason text not null,
    proof text not null,
    at_ms integer not null,
    lifted_ms integer,
    primary key (id, scope)
) strict;

create index suppression_key on suppression (key, seller_id);

create table interaction (
    id integer primary key,
    seller_id integer not null,
    contact_id integer not null,
    at_ms integer not null,
    channel text not null,
    ref text,
    body text not null
) strict;

create index interaction_contact on interaction (seller_id, contact_id, at_ms);

create table agent (
    id integer primary key,
    name text not null unique
) strict;

create table agent_state (
    agent_id integer not null,
    at_ms integer not null,
    seq integer not null,
    node_epoch integer not null,
    state text not null,
    reason text,
    primary key (agent_id, at_ms, seq)
) strict;

-- The abandonment ledger: answered = A, abandoned = D, fault = those of D that were covered.
create table abandon_window (
    campaign_id integer not null,
    starts_ms integer not null,
    ends_ms integer not null,
    cap_ppm integer not null,
    answered integer not null,
    abandoned integer not null,
    fault integer not null,
    primary key (campaign_id, starts_ms)
) strict;

create table abandon_share (
    campaign_id integer not null,
    starts_ms integer not null,
    node_epoch integer not null,
    share integer not null,
    primary key (campaign_id, starts_ms, node_epoch)
) strict;

create table import (
    id integer primary key,
    file_hash text not null,
    list_id integer not null,
    next_row integer not null,
    state text not null,
    started_ms integer not null,
    ended_ms integer,
    unique (list_id, file_hash)
) strict;

-- Who of a list came from which row; `result`: what that row did.
create table import_row (
    list_id integer not null,
    row_key text not null,
    import_id integer not null,
    row_no integer not null,
    result text not null,
    primary key (list_id, row_key)
) strict;

create table rules (
    id integer primary key,
    sha256 text not null unique,
    text text not null
) strict;

-- An append-only projection of the tables above; `seq` follows the order of commits.
create table event (
    seq integer primary key,
    at_ms integer not null,
    kind text not null,
    ref text not null,
    body text not null
) strict;

-- What people and programs did, chained by hash per process.
create table audit (
    node_epoch integer not null,
    seq integer not null,
    at_ms integer not null,
    who text not null,
    what text not null,
    body text not null,
    prev_hash text not null,
    hash text not null,
    primary key (node_epoch, seq)
) strict;

create table model_state (
    campaign_id integer not null,
    name text not null,
    body text not null,
    primary key (campaign_id, name)
) strict;
