-- +goose Up

-- Plans by which customers are kept or won back. What a case was opened by stays as it was: terms are kept by version.
CREATE TABLE retention_plan (
    tenant_id  text        NOT NULL,
    code       text        NOT NULL,
    version    bigint      NOT NULL CHECK (version > 0), -- the present one
    salt       text        NOT NULL, -- of the hold-out: made with the plan and never changed, so that nobody changes the arm
    active     boolean     NOT NULL, -- as the present version says
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, code)
);
SELECT guanxi_tenant_table('retention_plan');

CREATE TABLE retention_plan_version (
    tenant_id  text        NOT NULL,
    plan       text        NOT NULL,
    version    bigint      NOT NULL CHECK (version > 0),
    terms      jsonb       NOT NULL,
    by_subject text        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, plan, version),
    FOREIGN KEY (tenant_id, plan) REFERENCES retention_plan (tenant_id, code)
);
SELECT guanxi_tenant_table('retention_plan_version');

-- Orders as far as keeping customers is concerned: who bought when, and what was left of it after returns.
CREATE TABLE retention_order (
    tenant_id      text        NOT NULL,
    order_id       uuid        NOT NULL,
    customer_id    uuid,       -- none until the order's customer is known
    currency       text        NOT NULL,
    total_minor    bigint      NOT NULL CHECK (total_minor >= 0),
    returned_minor bigint      NOT NULL DEFAULT 0 CHECK (returned_minor BETWEEN 0 AND total_minor),
    placed_at      timestamptz NOT NULL,
    returns        uuid[]      NOT NULL DEFAULT '{}', -- that were counted, so that none counts twice
    PRIMARY KEY (tenant_id, order_id)
);
-- Not for known customers only: of ids in an array the planner would not see that none of them is unknown.
CREATE INDEX retention_order_of ON retention_order (tenant_id, customer_id, placed_at);
SELECT guanxi_tenant_table('retention_order');

-- The rhythm of each customer id that ever bought: what is looked through for silence.
CREATE TABLE retention_customer (
    tenant_id   text        NOT NULL,
    customer_id uuid        NOT NULL,
    purchases   bigint      NOT NULL CHECK (purchases > 0),
    first_at    timestamptz NOT NULL,
    last_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, customer_id)
) WITH (fillfactor = 80);
SELECT guanxi_tenant_table('retention_customer');

-- Whom nobody wants to win back, and why. It holds for every id that means the customer.
CREATE TABLE retention_exclusion (
    tenant_id   text        NOT NULL,
    customer_id uuid        NOT NULL,
    loss_kind   text        NOT NULL CHECK (loss_kind IN ('fraudulent', 'let_go')),
    by_subject  text        NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, customer_id)
);
SELECT guanxi_tenant_table('retention_exclusion');

-- Where a case stands. The process that leads it is the workflow retention/<tenant>/<id>; what it needs to go on is all here,
-- so that it can be started anew.
CREATE TABLE retention_case (
    tenant_id         text        NOT NULL,
    id                uuid        NOT NULL, -- UUIDv7
    version           bigint      NOT NULL,
    customer_id       uuid        NOT NULL, -- whom the customer's ids meant when it was opened
    plan              text        NOT NULL,
    plan_version      bigint      NOT NULL,
    kind              text        NOT NULL CHECK (kind IN ('care', 'win_back')),
    trigger           text        NOT NULL CHECK (trigger IN ('churn_risk', 'tier_falling', 'silence', 'manual')),
    stage             text        NOT NULL CHECK (stage IN ('open', 'paused', 'retained', 'lost', 'cancelled')),
    arm               text        NOT NULL CHECK (arm IN ('treated', 'held_out')),
    bucket            integer     NOT NULL CHECK (bucket BETWEEN 0 AND 999), -- of the hash that decided
    loss_kind         text        NOT NULL, -- empty: not known
    reason            text        NOT NULL,
    value_band        text        NOT NULL CHECK (value_band IN ('high', 'medium', 'low')),
    value_minor       bigint      NOT NULL, -- bought in the year before, returns taken off
    currency          text        NOT NULL,
    next_step         integer     NOT NULL, -- place in the plan, from 0
    step_at           timestamptz, -- when that is due; none where there is none left
    round             integer     NOT NULL, -- of asking accounts for the next step, from 1
    due_at            timestamptz NOT NULL, -- when something happens by itself
    opened_at         timestamptz NOT NULL,
    ends_at           timestamptz NOT NULL, -- a purchase until then counts
    bought_at         timestamptz, -- the first one
    order_id          uuid,
    offer             text        NOT NULL, -- code in the plan; empty: none was made
    offer_state       text        NOT NULL CHECK (offer_state IN ('', 'made', 'taken', 'refused')),
    offer_points      bigint      NOT NULL,
    offer_cost_minor  bigint      NOT NULL,
    offer_expires_at  timestamptz,
    entry_id          uuid,       -- by which its points were given
    contacts          integer     NOT NULL, -- that were allowed and handed on
    revenue_minor     bigint      NOT NULL, -- by the end of the case
    cost_minor        bigint      NOT NULL,
    code              text        NOT NULL, -- why it was cancelled
    closed_at         timestamptz,
    untold            boolean     NOT NULL, -- the process has to look at it
    trace             jsonb       NOT NULL, -- of the opening: its process runs in it
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, plan, plan_version) REFERENCES retention_plan_version (tenant_id, plan, version),
    CHECK ((stage IN ('open', 'paused')) = (closed_at IS NULL)),
    CHECK (arm = 'treated' OR (offer = '' AND contacts = 0))
) WITH (fillfactor = 80);
-- Of one customer one case at a time. Of ids that mean the same customer it is kept by a lock.
CREATE UNIQUE INDEX retention_case_open ON retention_case (tenant_id, customer_id) WHERE closed_at IS NULL;
CREATE INDEX retention_case_of ON retention_case (tenant_id, customer_id, id);
CREATE INDEX retention_case_by_plan ON retention_case (tenant_id, plan, id);
CREATE INDEX retention_case_by_stage ON retention_case (tenant_id, stage, id);
CREATE INDEX retention_case_due ON retention_case (due_at) WHERE closed_at IS NULL;
CREATE INDEX retention_case_untold ON retention_case (tenant_id, id) WHERE untold;
SELECT guanxi_tenant_table('retention_case');

-- What happened, step by step; append-only. A decision stands here once, under the id that its maker gave it.
CREATE TABLE retention_step (
    tenant_id   text        NOT NULL,
    case_id     uuid        NOT NULL,
    no          integer     NOT NULL CHECK (no > 0),
    action      text        NOT NULL,
    step        text        NOT NULL, -- of the plan: contact, offer, reminder or survey; empty for what is none
    code        text        NOT NULL, -- what was decided, or why a step was skipped
    channel     text        NOT NULL,
    contact_id  uuid,       -- in accounts' log
    decision_id uuid,       -- none for what the process did by itself
    input_hash  bytea,      -- of the decision: tells a repetition from another one under the same id
    by_subject  text        NOT NULL,
    at          timestamptz NOT NULL,
    note_id     uuid,       -- what was said with it
    PRIMARY KEY (tenant_id, case_id, no),
    FOREIGN KEY (tenant_id, case_id) REFERENCES retention_case (tenant_id, id)
);
CREATE UNIQUE INDEX retention_step_decision ON retention_step (tenant_id, decision_id) WHERE decision_id IS NOT NULL;
SELECT guanxi_tenant_table('retention_step');

-- What people wrote; everything else refers to it by id. Emptied when the customer is erased.
CREATE TABLE retention_note (
    tenant_id  text        NOT NULL,
    id         uuid        NOT NULL,
    case_id    uuid        NOT NULL,
    words      text        NOT NULL,
    by_subject text        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, case_id) REFERENCES retention_case (tenant_id, id)
);
CREATE INDEX retention_note_of ON retention_note (tenant_id, case_id);
SELECT guanxi_tenant_table('retention_note');

-- Points that members get on occasions of their own, by programme.
CREATE TABLE care_plan (
    tenant_id  text        NOT NULL,
    programme  text        NOT NULL,
    version    bigint      NOT NULL CHECK (version > 0),
    terms      jsonb       NOT NULL,
    since      timestamptz NOT NULL, -- occasions from that day on count
    by_subject text        NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, programme)
);
SELECT guanxi_tenant_table('care_plan');

-- Installed products of customers, as accounts tells: whose maintenance is due when.
CREATE TABLE care_asset (
    tenant_id   text        NOT NULL,
    asset_id    uuid        NOT NULL,
    customer_id uuid        NOT NULL,
    product     text        NOT NULL,
    since       timestamptz NOT NULL, -- when it became the customer's
    given_up_at timestamptz,
    PRIMARY KEY (tenant_id, asset_id)
);
CREATE INDEX care_asset_of ON care_asset (tenant_id, customer_id) WHERE given_up_at IS NULL;
SELECT guanxi_tenant_table('care_asset');

-- What was given on which occasion: each once.
CREATE TABLE care_given (
    tenant_id text        NOT NULL,
    member_id uuid        NOT NULL,
    occasion  text        NOT NULL CHECK (occasion IN ('birthday', 'anniversary', 'maintenance')),
    about     uuid        NOT NULL, -- the asset; otherwise the member again
    due_on    date        NOT NULL,
    id        uuid        NOT NULL, -- of the ledger's entry
    points    bigint      NOT NULL CHECK (points > 0),
    given_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, member_id, occasion, about, due_on)
);
CREATE UNIQUE INDEX care_given_by_id ON care_given (tenant_id, id);
SELECT guanxi_tenant_table('care_given');

-- +goose StatementBegin
-- retention_scanned lists the tenants after p_after that look for something: for silence by an active plan, or for occasions.
-- Like the other functions here it gives ids only; whoever calls it goes on under row level security, tenant by tenant.
CREATE FUNCTION retention_scanned(p_after text, p_limit integer) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant_id FROM (
        SELECT tenant_id FROM retention_plan WHERE active AND tenant_id > p_after UNION SELECT tenant_id FROM care_plan WHERE tenant_id > p_after
    ) t ORDER BY 1 LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- retention_overdue lists cases of all tenants on which nothing happened although something was due before p_before: their
-- process was ended by hand, or was lost.
CREATE FUNCTION retention_overdue(p_before timestamptz, p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.tenant_id, c.id FROM retention_case c WHERE c.closed_at IS NULL AND c.due_at < p_before ORDER BY c.due_at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- retention_untold lists cases of all tenants whose process has to look at them.
CREATE FUNCTION retention_untold(p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.tenant_id, c.id FROM retention_case c WHERE c.untold ORDER BY c.tenant_id, c.id LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY ['retention_plan_version', 'retention_step', 'care_given'] LOOP
        EXECUTE format('REVOKE UPDATE, DELETE ON %I FROM %I', t, guanxi_role('app'));
    END LOOP;
    FOREACH t IN ARRAY ARRAY ['retention_plan', 'retention_case', 'retention_note', 'care_plan'] LOOP
        EXECUTE format('REVOKE DELETE ON %I FROM %I', t, guanxi_role('app'));
    END LOOP;
    FOREACH t IN ARRAY ARRAY ['retention_scanned(text, integer)', 'retention_overdue(timestamptz, integer)', 'retention_untold(integer)'] LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', t);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', t, guanxi_role('app'));
    END LOOP;
END
$$;
-- +goose StatementEnd
