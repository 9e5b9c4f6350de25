-- The first schema. Times are milliseconds since 1970-01-01 UTC (`*_ms`), booleans are 0 or 1, ids are made by the
-- process (`epoch << 32 | counter`). The SQLite file is the same text with `integer` for `bigint`, and `strict` tables.

create table installation (
    id text primary key,
    secret text not null,
    created_ms bigint not null
);

-- One row per number that counts up: node_epoch, event.
create table counter (
    name text primary key,
    value bigint not null
);

insert into counter (name, value) values ('node_epoch', 0), ('event', 0);

-- One process start. A later start under the same name ends the earlier rows.
create table node (
    epoch bigint primary key,
    name text not null,
    boot bigint not null,
    pid bigint not null,
    started_ms bigint not null,
    lease_until_ms bigint not null,
    ended_ms bigint
);

create index node_name on node (name, epoch);

create table seller (
    id bigint primary key,
    name text not null unique
);

create table campaign (
    id bigint primary key,
    name text not null unique,
    seller_id bigint not null,
    state text not null,
    state_ms bigint not null,
    first_run_ms bigint
);

create table list (
    id bigint primary key,
    campaign_id bigint not null,
    name text not null,
    unique (campaign_id, name)
);

-- The person, per seller. `custom`: JSON array of [name, value] in the order of the file.
create table contact (
    id bigint primary key,
    seller_id bigint not null,
    external_id text,
    name text,
    language text,
    custom text not null,
    unique (seller_id, external_id)
);

-- `key` is compared, `number` is dialed and shown. `zones`: JSON array of IANA names.
create table phone (
    id bigint primary key,
    seller_id bigint not null,
    contact_id bigint not null,
    position bigint not null,
    key text not null,
    number text not null,
    kind text,
    extension text,
    zones text not null,
    suspect_day bigint,
    invalid bigint not null default 0,
    unique (seller_id, contact_id, key)
);

create index phone_contact on phone (contact_id, position);
create index phone_key on phone (key, seller_id);

-- Zone set, rule pack, overlay and audience that leads share.
create table calling_class (
    id bigint primary key,
    descriptor text not null unique
);

-- The classes a campaign's leads have ever had.
create table campaign_class (
    campaign_id bigint not null,
    class_id bigint not null,
    primary key (campaign_id, class_id)
);

-- States: 0 ready, 1 waiting, 2 claimed, 3 done, 4 held, 5 blocked.
create table lead (
    id bigint primary key,
    campaign_id bigint not null,
    contact_id bigint not null,
    next_phone_id bigint,
    class_id bigint not null,
    rank bigint not null,
    state bigint not null,
    due_ms bigint not null,
    gate text,
    owner_agent_id bigint,
    claimed_by bigint,
    claim_no bigint,
    fence bigint not null default 0,
    attempts bigint not null default 0,
    last_outcome text,
    same_outcome bigint not null default 0,
    list_id bigint not null,
    unique (campaign_id, contact_id)
);

create index lead_ready on lead (campaign_id, class_id, rank, id) where state = 0;
create index lead_wait on lead (campaign_id, due_ms, id) where state = 1;
create index lead_claimed on lead (claimed_by, campaign_id, claim_no) where state = 2;
create index lead_owner on lead (owner_agent_id, due_ms) where owner_agent_id is not null;
create index lead_contact on lead (contact_id);
create index lead_count on lead (campaign_id, state);

-- `counted`: uses up an attempt (an open one does). `booked_*`: what it added to its window of the ledger:
-- `booked_answered`, `booked_abandoned` and `booked_fault` by its outcome, `booked_live` by a disposition.
create table attempt (
    id bigint primary key,
    public_ref text not null unique,
    lead_id bigint not null,
    fence bigint not null,
    seller_id bigint not null,
    contact_id bigint not null,
    phone_id bigint not null,
    phone_key text not null,
    number text not null,
    campaign_id bigint not null,
    list_id bigint not null,
    attempt_no bigint not null,
    node_epoch bigint not null,
    rules_id bigint,
    trunk text not null,
    caller_id text not null,
    agent_id bigint,
    uncovered bigint not null,
    started_ms bigint not null,
    early_ms bigint,
    answered_ms bigint,
    connected_ms bigint,
    ended_ms bigint,
    outcome text,
    first_outcome text,
    sip_status bigint,
    q850 bigint,
    counted bigint not null,
    undelivered bigint not null default 0,
    live bigint,
    abandoned bigint not null default 0,
    window_ms bigint,
    booked_answered bigint not null default 0,
    booked_abandoned bigint not null default 0,
    booked_fault bigint not null default 0,
    booked_live bigint not null default 0,
    unique (lead_id, fence)
);

-- No two live calls to a number, in whatever campaign.
create unique index attempt_live on attempt (phone_key) where ended_ms is null;
create index attempt_open on attempt (node_epoch) where ended_ms is null;
create index attempt_contact on attempt (seller_id, contact_id, started_ms);
create index attempt_number on attempt (seller_id, phone_key, started_ms);
create index attempt_campaign on attempt (campaign_id, started_ms);

-- One SIP dialog: of an attempt, or of an agent's shift (attempt_id is null). `call`, `route_set`: JSON.
create table leg (
    id bigint primary key,
    attempt_id bigint,
    leg_no bigint not null,
    agent_id bigint,
    node_epoch bigint not null,
    trunk text,
    call text not null,
    started_ms bigint not null,
    remote_tag text,
    remote_target text,
    route_set text,
    cseq bigint,
    sip_status bigint,
    q850 bigint,
    early_ms bigint,
    answered_ms bigint,
    ended_ms bigint
);

create index leg_attempt on leg (attempt_id, leg_no) where attempt_id is not null;
create index leg_open on leg (node_epoch) where ended_ms is null;

-- What the agent says; the last word counts.
create table disposition (
    attempt_id bigint primary key,
    agent_id bigint not null,
    code text not null,
    memo text,
    at_ms bigint not null
);

-- States: 0 open, 1 replaced, 2 done.
create table callback (
    id bigint primary key,
    attempt_id bigint not null,
    lead_id bigint not null,
    owner_agent_id bigint,
    due_ms bigint not null,
    window_end_ms bigint not null,
    state bigint not null default 0
);

create index callback_attempt on callback (attempt_id);

-- `key`: of the number, `c:` and the contact's id for a person, empty for everybody. `seller_id` 0: every seller.
create table suppression (
    id bigint not null,
    scope text not null,
    seller_id bigint not null,
    key text not null,
    reason text not null,
    proof text not null,
    at_ms bigint not null,
    lifted_ms bigint,
    primary key (id, scope)
);

create index suppression_key on suppression (key, seller_id);

create table interaction (
    id bigint primary key,
    seller_id bigint not null,
    contact_id bigint not null,
    at_ms bigint not null,
    channel text not null,
    ref text,
    body text not null
);

create index interaction_contact on interaction (seller_id, contact_id, at_ms);

create table agent (
    id bigint primary key,
    name text not null unique
);

create table agent_state (
    agent_id bigint not null,
    at_ms bigint not null,
    seq bigint not null,
    node_epoch bigint not null,
    state text not null,
    reason text,
    primary key (agent_id, at_ms, seq)
);

-- The abandonment ledger: answered = A, abandoned = D, fault = those of D that were covered.
create table abandon_window (
    campaign_id bigint not null,
    starts_ms bigint not null,
    ends_ms bigint not null,
    cap_ppm bigint not null,
    answered bigint not null,
    abandoned bigint not null,
    fault bigint not null,
    primary key (campaign_id, starts_ms)
);

create table abandon_share (
    campaign_id bigint not null,
    starts_ms bigint not null,
    node_epoch bigint not null,
    share bigint not null,
    primary key (campaign_id, starts_ms, node_epoch)
);

create table import (
    id bigint primary key,
    file_hash text not null,
    list_id bigint not null,
    next_row bigint not null,
    state text not null,
    started_ms bigint not null,
    ended_ms bigint,
    unique (list_id, file_hash)
);

-- Who of a list came from which row; `result`: what that row did.
create table import_row (
    list_id bigint not null,
    row_key text not null,
    import_id bigint not null,
    row_no bigint not null,
    result text not null,
    primary key (list_id, row_key)
);

create table rules (
    id bigint primary key,
    sha256 text not null unique,
    text text not null
);

-- An append-only projection of the tables above; `seq` follows the order of commits.
create table event (
    seq bigint primary key,
    at_ms bigint not null,
    kind text not null,
    ref text not null,
    body text not null
);

-- What people and programs did, chained by hash per process.
create table audit (
    node_epoch bigint not null,
    seq bigint not null,
    at_ms bigint not null,
    who text not null,
    what text not null,
    body text not null,
    prev_hash text not null,
    hash text not null,
    primary key (node_epoch, seq)
);

create table model_state (
    campaign_id bigint not null,
    name text not null,
    body text not null,
    primary key (campaign_id, name)
);
