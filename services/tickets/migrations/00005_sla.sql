-- +goose Up

-- Service level policies, as they are now: tried by position.
CREATE TABLE sla_policy (
    tenant_id  text        NOT NULL,
    id         uuid        NOT NULL, -- UUIDv7
    version    bigint      NOT NULL, -- rises with every change
    name       text        NOT NULL,
    position   integer     NOT NULL,
    archived   boolean     NOT NULL, -- picks no ticket any more
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX sla_policy_by_name ON sla_policy (tenant_id, name) WHERE NOT archived;
SELECT guanxi_tenant_table('sla_policy');

-- What a policy promises in each version: tickets are measured by the one of their creation; append-only.
CREATE TABLE sla_policy_version (
    tenant_id  text        NOT NULL,
    policy_id  uuid        NOT NULL,
    version    bigint      NOT NULL,
    definition jsonb       NOT NULL,
    correction boolean     NOT NULL, -- open tickets of the versions before went over to it
    by_subject text        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, policy_id, version),
    FOREIGN KEY (tenant_id, policy_id) REFERENCES sla_policy (tenant_id, id)
);
SELECT guanxi_tenant_table('sla_policy_version');

-- How customers stand with the tenant, as other services tell.
CREATE TABLE customer_standing (
    tenant_id   text        NOT NULL,
    customer_id uuid        NOT NULL,
    grade       text        NOT NULL, -- codes; empty where nothing is known
    tier        text        NOT NULL,
    set_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, customer_id)
);
SELECT guanxi_tenant_table('customer_standing');

-- Rounds of the clocks that ended, for reports. Those of closed tickets are final: a change of a calendar leaves them alone.
CREATE TABLE sla_measurement (
    tenant_id          text        NOT NULL,
    ticket_id          uuid        NOT NULL,
    clock              text        NOT NULL CHECK (clock IN ('first_response', 'next_response', 'resolution')),
    round              integer     NOT NULL CHECK (round > 0),
    state              text        NOT NULL CHECK (state IN ('met', 'breached', 'cancelled')),
    policy_id          uuid        NOT NULL,
    policy_version     bigint      NOT NULL,
    calendar_id        uuid,       -- none where the tenant has none: always open
    calendar_version   bigint      NOT NULL,
    priority           smallint    NOT NULL,
    agent              text        NOT NULL, -- subject of who had the ticket when it ended; empty for nobody
    queue              text        NOT NULL,
    started_at         timestamptz NOT NULL,
    due_at             timestamptz,          -- none where it was cancelled
    done_at            timestamptz,          -- the same
    ended_at           timestamptz NOT NULL, -- done or cancelled
    target_seconds     bigint      NOT NULL CHECK (target_seconds > 0),
    used_seconds       bigint      NOT NULL,
    difference_seconds bigint      NOT NULL, -- target less used
    final              boolean     NOT NULL,
    PRIMARY KEY (tenant_id, ticket_id, clock, round)
) WITH (fillfactor = 90);
-- Of a period. The condition always holds, and keeps the index from being taken, as the whole tenant, for the one of tickets
-- where the statistics know no rows yet.
CREATE INDEX sla_measurement_by_end ON sla_measurement (tenant_id, ended_at) WHERE ended_at IS NOT NULL;
SELECT guanxi_tenant_table('sla_measurement');

-- When the next step of a ticket's clocks is to be told; no time where none is foreseen.
CREATE TABLE sla_alarm (
    tenant_id text NOT NULL,
    ticket_id uuid NOT NULL,
    at        timestamptz,
    PRIMARY KEY (tenant_id, ticket_id)
) WITH (fillfactor = 70);
CREATE INDEX sla_alarm_at ON sla_alarm (at) WHERE at IS NOT NULL;
SELECT guanxi_tenant_table('sla_alarm');

-- The last step of a round that was told: each is told once.
CREATE TABLE sla_told (
    tenant_id text     NOT NULL,
    ticket_id uuid     NOT NULL,
    clock     text     NOT NULL,
    round     integer  NOT NULL,
    percent   integer  NOT NULL, -- of the target
    PRIMARY KEY (tenant_id, ticket_id, clock, round)
);
SELECT guanxi_tenant_table('sla_told');

-- Deadlines that are reckoned anew: of open tickets after a correction, of closed ones when somebody asks for it.
CREATE TABLE sla_recomputation (
    tenant_id   text        NOT NULL,
    id          uuid        NOT NULL, -- UUIDv7
    cause       text        NOT NULL CHECK (cause IN ('calendar', 'policy', 'asked')),
    tickets     text        NOT NULL CHECK (tickets IN ('open', 'closed')),
    policy_id   uuid,        -- only tickets measured by it
    calendar_id uuid,        -- only tickets measured by it
    by_default  boolean     NOT NULL, -- with calendar_id: and those whose policy names no calendar
    correction  boolean     NOT NULL, -- tickets go over to the policy's present version
    closed_from timestamptz, -- only tickets closed at or after it
    closed_to   timestamptz, -- only tickets closed before it
    reason      text        NOT NULL, -- code
    by_subject  text        NOT NULL,
    asked_at    timestamptz NOT NULL,
    ticket_id   uuid,        -- tickets up to this one are done
    looked_at   bigint      NOT NULL, -- tickets
    changed     bigint      NOT NULL, -- of them: deadline or verdict
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, id)
) WITH (fillfactor = 70);
CREATE INDEX sla_recomputation_pending ON sla_recomputation (id) WHERE finished_at IS NULL;
SELECT guanxi_tenant_table('sla_recomputation');

-- What a recomputation that was asked for made of verdicts of closed tickets; append-only.
CREATE TABLE sla_verdict_change (
    tenant_id         text     NOT NULL,
    recomputation_id  uuid     NOT NULL,
    ticket_id         uuid     NOT NULL,
    clock             text     NOT NULL,
    round             integer  NOT NULL,
    state_before      text     NOT NULL,
    state             text     NOT NULL,
    difference_before bigint   NOT NULL, -- seconds
    difference        bigint   NOT NULL,
    PRIMARY KEY (tenant_id, recomputation_id, ticket_id, clock, round),
    FOREIGN KEY (tenant_id, recomputation_id) REFERENCES sla_recomputation (tenant_id, id)
);
SELECT guanxi_tenant_table('sla_verdict_change');

-- +goose StatementBegin
-- sla_alarm_due lists tickets of all tenants of which a step is to be told, the longest due first. It gives ids
-- only; whoever calls it goes on under row level security, tenant by tenant.
CREATE FUNCTION sla_alarm_due(p_now timestamptz, p_limit integer) RETURNS TABLE (tenant_id text, ticket_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.tenant_id, a.ticket_id FROM sla_alarm a WHERE a.at <= p_now ORDER BY a.at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- sla_recomputation_due lists recomputations of all tenants that are not finished, the oldest first; ids only, as above.
CREATE FUNCTION sla_recomputation_due(p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.tenant_id, r.id FROM sla_recomputation r WHERE r.finished_at IS NULL ORDER BY r.id LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY ['sla_policy_version', 'sla_verdict_change'] LOOP
        EXECUTE format('REVOKE UPDATE, DELETE ON %I FROM %I', t, guanxi_role('app'));
    END LOOP;
    FOREACH t IN ARRAY ARRAY ['sla_alarm_due(timestamptz, integer)', 'sla_recomputation_due(integer)'] LOOP
        EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || t || ' FROM PUBLIC';
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', t, guanxi_role('app'));
    END LOOP;
END
$$;
-- +goose StatementEnd
