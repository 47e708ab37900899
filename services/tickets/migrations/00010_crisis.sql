-- +goose Up

-- How bursts of complaints are looked for and how a crisis is led; the standard holds where there is no row.
CREATE TABLE crisis_setting (
    tenant_id         text             NOT NULL PRIMARY KEY,
    version           bigint           NOT NULL,
    threshold         double precision NOT NULL CHECK (threshold > 0 AND threshold < 1), -- of all series together
    window_days       integer          NOT NULL CHECK (window_days > 0),
    base_days         integer          NOT NULL CHECK (base_days >= window_days),
    sku_exposure      text             NOT NULL CHECK (sku_exposure IN ('units', 'weekdays')),
    category_exposure text             NOT NULL CHECK (category_exposure IN ('units', 'weekdays')),
    recorded_since    date,            -- complaints are complete since then; none: since ever
    statement_seconds bigint           NOT NULL CHECK (statement_seconds > 0), -- for the holding statement
    update_seconds    bigint           NOT NULL CHECK (update_seconds > 0),    -- the rhythm of updates
    review_seconds    bigint           NOT NULL CHECK (review_seconds > 0)     -- for the review, after the all-clear
);
SELECT guanxi_tenant_table('crisis_setting');

-- What is looked through for bursts, in the order of time.
CREATE INDEX complaint_by_time ON complaint (tenant_id, registered_at);
CREATE INDEX complaint_by_order ON complaint (tenant_id, order_id) WHERE order_id IS NOT NULL;

-- Where a crisis stands. The process that leads one that is declared is the workflow crisis/<tenant>/<id>; what it needs to
-- go on is all here, so that it can be started anew.
CREATE TABLE crisis (
    tenant_id   text             NOT NULL,
    id          uuid             NOT NULL, -- UUIDv7
    version     bigint           NOT NULL,
    dimension   text             NOT NULL CHECK (dimension IN ('sku', 'category')),
    value       text             NOT NULL,
    stage       text             NOT NULL CHECK (stage IN ('proposed', 'dismissed', 'declared', 'cleared', 'closed')),
    detected    boolean          NOT NULL, -- a burst proposed it; otherwise a person declared it
    alarm       jsonb,           -- the numbers by which it was proposed, as they were; none where a person declared it
    window_from timestamptz      NOT NULL, -- complaints since then belong to it
    team        text[]           NOT NULL, -- subjects
    statements  integer          NOT NULL, -- made so far
    reminders   integer          NOT NULL, -- of what is due now
    due_at      timestamptz,     -- the next statement, or the review; none before it is declared and once it is closed
    proposed_at timestamptz,
    declared_at timestamptz,
    ended_at    timestamptz,     -- dismissed, or all clear
    closed_at   timestamptz,
    trace       jsonb            NOT NULL, -- of the declaration: its process runs in it
    PRIMARY KEY (tenant_id, id),
    CHECK ((stage IN ('dismissed', 'cleared', 'closed')) = (ended_at IS NOT NULL)),
    CHECK ((stage IN ('declared', 'cleared', 'closed')) = (declared_at IS NOT NULL)),
    CHECK ((stage = 'closed') = (closed_at IS NOT NULL)),
    CHECK (detected = (alarm IS NOT NULL))
) WITH (fillfactor = 80);
-- Of one series one crisis at a time: a burst is not proposed twice.
CREATE UNIQUE INDEX crisis_of_series ON crisis (tenant_id, dimension, value) WHERE stage IN ('proposed', 'declared');
CREATE INDEX crisis_by_stage ON crisis (tenant_id, stage, id);
CREATE INDEX crisis_overdue ON crisis (due_at) WHERE stage IN ('declared', 'cleared');
SELECT guanxi_tenant_table('crisis');

-- What happened, step by step; append-only. A decision stands here once, under the id that its maker gave it.
CREATE TABLE crisis_step (
    tenant_id   text        NOT NULL,
    crisis_id   uuid        NOT NULL,
    no          integer     NOT NULL CHECK (no > 0),
    action      text        NOT NULL,
    decision_id uuid,       -- none for what the process did by itself
    input_hash  bytea,      -- of the decision: tells a repetition from another one under the same id
    by_subject  text        NOT NULL,
    at          timestamptz NOT NULL,
    note_id     uuid,       -- what was said with it
    PRIMARY KEY (tenant_id, crisis_id, no),
    FOREIGN KEY (tenant_id, crisis_id) REFERENCES crisis (tenant_id, id)
);
CREATE UNIQUE INDEX crisis_step_decision ON crisis_step (tenant_id, decision_id) WHERE decision_id IS NOT NULL;
SELECT guanxi_tenant_table('crisis_step');

-- Statements and reasons: they stay here, and everything else refers to them by id. Append-only.
CREATE TABLE crisis_note (
    tenant_id  text        NOT NULL,
    id         uuid        NOT NULL,
    crisis_id  uuid        NOT NULL,
    words      text        NOT NULL,
    by_subject text        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, crisis_id) REFERENCES crisis (tenant_id, id)
);
CREATE INDEX crisis_note_by_crisis ON crisis_note (tenant_id, crisis_id);
SELECT guanxi_tenant_table('crisis_note');

-- The complaints that belong to a crisis. One that a person took out stays as that, so that it is not linked again.
CREATE TABLE crisis_complaint (
    tenant_id    text        NOT NULL,
    crisis_id    uuid        NOT NULL,
    complaint_id uuid        NOT NULL,
    linked       boolean     NOT NULL,
    by_subject   text        NOT NULL, -- whoever linked it or took it out
    at           timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, crisis_id, complaint_id),
    FOREIGN KEY (tenant_id, crisis_id) REFERENCES crisis (tenant_id, id),
    FOREIGN KEY (tenant_id, complaint_id) REFERENCES complaint (tenant_id, id)
);
CREATE INDEX crisis_complaint_by_complaint ON crisis_complaint (tenant_id, complaint_id);
SELECT guanxi_tenant_table('crisis_complaint');

-- Public replies on the tickets of linked complaints, each planned when a person answers all of them together.
CREATE TABLE crisis_answer (
    tenant_id    text        NOT NULL,
    crisis_id    uuid        NOT NULL,
    note_id      uuid        NOT NULL, -- what is said
    complaint_id uuid        NOT NULL,
    ticket_id    uuid        NOT NULL,
    state        text        NOT NULL CHECK (state IN ('planned', 'done', 'refused')),
    code         text        NOT NULL DEFAULT '', -- why it was refused, such as ticket_closed
    by_subject   text        NOT NULL,
    at           timestamptz NOT NULL, -- planned, then done
    PRIMARY KEY (tenant_id, crisis_id, note_id, complaint_id),
    FOREIGN KEY (tenant_id, crisis_id) REFERENCES crisis (tenant_id, id)
);
CREATE INDEX crisis_answer_planned ON crisis_answer (tenant_id, crisis_id, ticket_id) WHERE state = 'planned';
CREATE INDEX crisis_answer_by_complaint ON crisis_answer (tenant_id, crisis_id, complaint_id);
SELECT guanxi_tenant_table('crisis_answer');

-- +goose StatementBegin
-- crisis_scanned lists the tenants with a complaint since p_since: those in which a burst is possible. It goes from tenant to
-- tenant by the index, however many complaints each has.
CREATE FUNCTION crisis_scanned(p_since timestamptz) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE t AS (
        (SELECT c.tenant_id FROM complaint c ORDER BY c.tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT c.tenant_id FROM complaint c WHERE c.tenant_id > t.tenant_id ORDER BY c.tenant_id LIMIT 1) FROM t WHERE t.tenant_id IS NOT NULL
    )
    SELECT t.tenant_id FROM t
     WHERE EXISTS (SELECT FROM complaint c WHERE c.tenant_id = t.tenant_id AND c.registered_at >= p_since)
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- crisis_overdue lists crises of all tenants on which nothing happened although something was due before p_before, or answers
-- were planned before it: their process was ended by hand, or was lost. It gives ids only; whoever calls it goes on under row level security, tenant by
-- tenant.
CREATE FUNCTION crisis_overdue(p_before timestamptz, p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.tenant_id, c.id FROM crisis c
     WHERE c.stage IN ('declared', 'cleared') AND (c.due_at < p_before OR EXISTS (
         SELECT FROM crisis_answer a WHERE a.tenant_id = c.tenant_id AND a.crisis_id = c.id AND a.state = 'planned' AND a.at < p_before))
     ORDER BY c.due_at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY ['crisis_step', 'crisis_note'] LOOP
        EXECUTE format('REVOKE UPDATE, DELETE ON %I FROM %I', t, guanxi_role('app'));
    END LOOP;
    FOREACH t IN ARRAY ARRAY ['crisis_scanned(timestamptz)', 'crisis_overdue(timestamptz, integer)'] LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', t);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', t, guanxi_role('app'));
    END LOOP;
END
$$;
-- +goose StatementEnd
