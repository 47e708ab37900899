-- +goose Up

-- Limits and time limits of a tenant's complaints; the standard ones hold where there is no row.
CREATE TABLE complaint_policy (
    tenant_id        text   NOT NULL PRIMARY KEY,
    version          bigint NOT NULL,
    step_seconds     bigint NOT NULL CHECK (step_seconds > 0),     -- for each step of the staff
    customer_seconds bigint NOT NULL CHECK (customer_seconds > 0), -- for the customer's word
    reminders        integer NOT NULL CHECK (reminders >= 0),      -- to the customer, before silence ends it
    rounds           integer NOT NULL CHECK (rounds > 0),          -- proposals that a customer may reject
    free_minor       bigint NOT NULL CHECK (free_minor >= 0),      -- up to here nobody need approve
    manager_minor    bigint NOT NULL CHECK (manager_minor >= free_minor), -- up to here a manager does, beyond a director
    point_minor      bigint NOT NULL CHECK (point_minor >= 0)      -- what a point costs
);
SELECT guanxi_tenant_table('complaint_policy');

-- Where a complaint stands. The process that leads it is the workflow complaint/<tenant>/<id>; what it needs to go on is
-- all here, so that it can be started anew.
CREATE TABLE complaint (
    tenant_id     text        NOT NULL,
    id            uuid        NOT NULL, -- UUIDv7
    version       bigint      NOT NULL,
    ticket_id     uuid        NOT NULL,
    number        text        NOT NULL, -- of the ticket
    customer_id   uuid        NOT NULL,
    order_id      uuid,
    category      text        NOT NULL,
    channel       text        NOT NULL,
    stage         text        NOT NULL
        CHECK (stage IN ('registered', 'assessed', 'assigned', 'found', 'proposed', 'offered', 'accepted', 'closed')),
    severity      smallint    NOT NULL,
    unit          text        NOT NULL,
    person        text        NOT NULL, -- subject of the accountable person
    finding       text        NOT NULL,
    cause         text        NOT NULL,
    proposal      integer     NOT NULL, -- number of the last one, 0 for none
    currency      text        NOT NULL, -- of it; so are the next three
    cost_minor    bigint      NOT NULL,
    approval      text        NOT NULL,
    proposed_by   text        NOT NULL,
    rounds        integer     NOT NULL, -- proposals that the customer rejected
    reminders     integer     NOT NULL, -- of the present step
    silent        boolean     NOT NULL, -- the customer never answered the offer
    due_at        timestamptz,          -- of the present step; none once accepted
    outcome       text        NOT NULL,
    registered_at timestamptz NOT NULL,
    closed_at     timestamptz,
    trace         jsonb       NOT NULL, -- of the registration: its process runs in it
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES ticket (tenant_id, id),
    CHECK ((stage = 'closed') = (closed_at IS NOT NULL)),
    CHECK ((stage = 'closed') = (outcome <> ''))
) WITH (fillfactor = 80);
CREATE INDEX complaint_by_customer ON complaint (tenant_id, customer_id, id);
CREATE INDEX complaint_by_stage ON complaint (tenant_id, stage, id);
CREATE INDEX complaint_overdue ON complaint (due_at) WHERE stage <> 'closed';
SELECT guanxi_tenant_table('complaint');

-- The parts of every proposal, and what became of them.
CREATE TABLE complaint_part (
    tenant_id    text     NOT NULL,
    complaint_id uuid     NOT NULL,
    proposal     integer  NOT NULL CHECK (proposal > 0),
    no           integer  NOT NULL CHECK (no > 0),
    kind         text     NOT NULL CHECK (kind IN ('points', 'refund', 'apology')),
    points       bigint   NOT NULL,
    order_id     uuid,
    amount_minor bigint   NOT NULL,
    cost_minor   bigint   NOT NULL,
    state        text     NOT NULL CHECK (state IN ('planned', 'done', 'failed', 'taken_back', 'dropped')),
    reference    text     NOT NULL, -- the ledger's entry, the return
    PRIMARY KEY (tenant_id, complaint_id, proposal, no),
    FOREIGN KEY (tenant_id, complaint_id) REFERENCES complaint (tenant_id, id)
);
SELECT guanxi_tenant_table('complaint_part');

-- What happened, step by step; append-only. A decision stands here once, under the id that its maker gave it.
CREATE TABLE complaint_step (
    tenant_id    text        NOT NULL,
    complaint_id uuid        NOT NULL,
    no           integer     NOT NULL CHECK (no > 0),
    action       text        NOT NULL,
    decision_id  uuid,       -- none for what the process did by itself
    input_hash   bytea,      -- of the decision: tells a repetition from another one under the same id
    by_subject   text        NOT NULL,
    at           timestamptz NOT NULL,
    note_id      uuid,       -- the reason that was given
    PRIMARY KEY (tenant_id, complaint_id, no),
    FOREIGN KEY (tenant_id, complaint_id) REFERENCES complaint (tenant_id, id)
);
CREATE UNIQUE INDEX complaint_step_decision ON complaint_step (tenant_id, decision_id) WHERE decision_id IS NOT NULL;
SELECT guanxi_tenant_table('complaint_step');

-- Words of people: they stay here, and everything else refers to them by id.
CREATE TABLE complaint_note (
    tenant_id    text        NOT NULL,
    id           uuid        NOT NULL,
    complaint_id uuid        NOT NULL,
    kind         text        NOT NULL CHECK (kind IN ('description', 'wish', 'reason')),
    words        text        NOT NULL,
    by_subject   text        NOT NULL,
    at           timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX complaint_note_by_complaint ON complaint_note (tenant_id, complaint_id);
SELECT guanxi_tenant_table('complaint_note');

-- +goose StatementBegin
-- complaint_overdue lists open complaints of all tenants on which nothing happened although their step was due before
-- p_before: their process was ended by hand, or was lost. It gives ids only; whoever calls it goes on under row level
-- security, tenant by tenant.
CREATE FUNCTION complaint_overdue(p_before timestamptz, p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.tenant_id, c.id FROM complaint c
     WHERE c.stage <> 'closed' AND (c.due_at < p_before OR c.due_at IS NULL)
     ORDER BY c.due_at NULLS FIRST LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY ['complaint_step', 'complaint_note'] LOOP
        EXECUTE format('REVOKE UPDATE, DELETE ON %I FROM %I', t, guanxi_role('app'));
    END LOOP;
    EXECUTE 'REVOKE EXECUTE ON FUNCTION complaint_overdue(timestamptz, integer) FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION complaint_overdue(timestamptz, integer) TO %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
