-- +goose Up

CREATE TABLE opportunity (
    tenant_id         text        NOT NULL,
    id                uuid        NOT NULL,
    version           bigint      NOT NULL CHECK (version > 0), -- of what people change; 1: nothing was since it was opened
    customer_id       uuid        NOT NULL,
    lead_id           uuid,       -- that it came of
    name              text        NOT NULL, -- words, as are next_step and texts among custom_fields: empty once the customer was erased
    pipeline          text        NOT NULL,
    stage             text        NOT NULL, -- the one that it is in, or was closed in
    state             text        NOT NULL CHECK (state IN ('open', 'won', 'lost', 'withdrawn')),
    currency          text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    amount_minor      bigint      NOT NULL CHECK (amount_minor >= 0), -- the sum of its lines, where it has any; 0: not known
    expected_close_on date,
    next_step         text        NOT NULL,
    next_step_on      date,
    next_step_since   timestamptz NOT NULL, -- when the next step became what it is
    owner             text        NOT NULL, -- subject; empty: nobody
    team              text        NOT NULL, -- code; empty: none
    source            text        NOT NULL,
    campaign          text        NOT NULL,
    forecast_category text        CHECK (forecast_category IN ('pipeline', 'best_case', 'commit')), -- none: the stage's
    tags              text[]      NOT NULL,
    custom_fields     jsonb       NOT NULL,
    score_fields      jsonb       NOT NULL, -- what scoring knows of it beside: codes by name
    opened_at         timestamptz NOT NULL,
    stage_since       timestamptz NOT NULL,
    closed_at         timestamptz, -- of the latest closing; none while open
    reason            text        NOT NULL, -- code of why it was lost; empty unless it is lost
    competitor        text        NOT NULL, -- code of whom it was lost to
    stalled_at        timestamptz, -- none while it goes on
    stalled_reason    text        NOT NULL CHECK (stalled_reason IN ('', 'age', 'no_next_step', 'next_step_overdue')),
    stalls            integer     NOT NULL, -- how often it stalled
    look_at           timestamptz, -- when it may stall; none: not until something changes
    follow_up_at      timestamptz, -- when its follow-up has to ask somebody; none: there is none, or it asked everybody
    moves             integer     NOT NULL, -- rows of its stage history
    followed          boolean     NOT NULL DEFAULT false, -- something hangs on it: a quote, an activity
    changed_at        timestamptz NOT NULL,
    changed_by        text        NOT NULL,
    closes_on         date        NOT NULL GENERATED ALWAYS AS (coalesce(expected_close_on, DATE '9999-12-31')) STORED, -- to sort by
    PRIMARY KEY (tenant_id, id),
    CHECK ((state IN ('won', 'lost', 'withdrawn')) = (closed_at IS NOT NULL)),
    CHECK ((state = 'lost') = (reason <> '')),
    CHECK (competitor = '' OR state = 'lost'),
    CHECK ((next_step = '') OR (next_step_on IS NOT NULL)),
    CHECK ((stalled_at IS NULL) = (stalled_reason = ''))
);
SELECT guanxi_tenant_table('opportunity');
-- The board: sums of a stage without reading rows, and its cards in their orders.
CREATE INDEX opportunity_board ON opportunity (tenant_id, pipeline, stage, closes_on, id) INCLUDE (currency, amount_minor, owner, team) WHERE state = 'open';
CREATE INDEX opportunity_board_amount ON opportunity (tenant_id, pipeline, stage, amount_minor DESC, id) WHERE state = 'open';
CREATE INDEX opportunity_board_age ON opportunity (tenant_id, pipeline, stage, stage_since, id) WHERE state = 'open';
CREATE INDEX opportunity_customer ON opportunity (tenant_id, customer_id, id);
CREATE UNIQUE INDEX opportunity_lead ON opportunity (tenant_id, lead_id) WHERE lead_id IS NOT NULL AND state <> 'withdrawn';
CREATE INDEX opportunity_owner ON opportunity (tenant_id, owner, id) WHERE state = 'open';
CREATE INDEX opportunity_closed ON opportunity (tenant_id, closed_at, id) WHERE closed_at IS NOT NULL;
CREATE INDEX opportunity_look ON opportunity (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX opportunity_follow_up ON opportunity (follow_up_at) WHERE follow_up_at IS NOT NULL;

-- Where it stood, without a gap: each row holds from when it was entered until the next one. While a row's state is not open it
-- stood closed in that stage. Rows are never changed: what was before stands in the row that ended it.
CREATE TABLE opportunity_stage (
    tenant_id        text        NOT NULL,
    opportunity_id   uuid        NOT NULL,
    no               integer     NOT NULL CHECK (no > 0), -- from 1: the opening
    pipeline         text        NOT NULL,
    stage            text        NOT NULL,
    state            text        NOT NULL CHECK (state IN ('open', 'won', 'lost', 'withdrawn')),
    entered_at       timestamptz NOT NULL,
    by_subject       text        NOT NULL,
    previous_stage   text        NOT NULL, -- that it left by this; empty: it was opened
    previous_state   text        NOT NULL,
    previous_seconds bigint      NOT NULL CHECK (previous_seconds >= 0), -- whole seconds that it was there, this time
    PRIMARY KEY (tenant_id, opportunity_id, no),
    FOREIGN KEY (tenant_id, opportunity_id) REFERENCES opportunity (tenant_id, id)
);
SELECT guanxi_tenant_table('opportunity_stage');
CREATE INDEX opportunity_stage_entered ON opportunity_stage (tenant_id, pipeline, entered_at, opportunity_id, no);
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON opportunity_stage FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd

CREATE TABLE opportunity_line (
    tenant_id      text    NOT NULL,
    opportunity_id uuid    NOT NULL,
    no             integer NOT NULL CHECK (no > 0),
    sku            text    NOT NULL,
    quantity       bigint  NOT NULL CHECK (quantity > 0),
    unit_minor     bigint  NOT NULL CHECK (unit_minor >= 0),
    amount_minor   bigint  NOT NULL CHECK (amount_minor = quantity * unit_minor),
    PRIMARY KEY (tenant_id, opportunity_id, no),
    FOREIGN KEY (tenant_id, opportunity_id) REFERENCES opportunity (tenant_id, id)
);
SELECT guanxi_tenant_table('opportunity_line');

-- Persons, who are customers of accounts, with their part in the decision.
CREATE TABLE opportunity_contact (
    tenant_id      text        NOT NULL,
    opportunity_id uuid        NOT NULL,
    customer_id    uuid        NOT NULL,
    role           text        NOT NULL CHECK (role IN ('', 'decision_maker', 'influencer', 'user', 'coach', 'buyer')), -- empty: not known
    influence      smallint    CHECK (influence BETWEEN 1 AND 5), -- on the decision, 5 the most; none: not known
    leaning        smallint    CHECK (leaning BETWEEN -2 AND 2),  -- from against us to for us; none: not known
    changed_at     timestamptz NOT NULL,
    changed_by     text        NOT NULL,
    PRIMARY KEY (tenant_id, opportunity_id, customer_id),
    FOREIGN KEY (tenant_id, opportunity_id) REFERENCES opportunity (tenant_id, id)
);
SELECT guanxi_tenant_table('opportunity_contact');
CREATE INDEX opportunity_contact_customer ON opportunity_contact (tenant_id, customer_id, opportunity_id);

CREATE TABLE opportunity_competitor (
    tenant_id      text        NOT NULL,
    opportunity_id uuid        NOT NULL,
    competitor     text        NOT NULL,
    strengths      text        NOT NULL, -- words
    weaknesses     text        NOT NULL, -- words
    changed_at     timestamptz NOT NULL,
    changed_by     text        NOT NULL,
    PRIMARY KEY (tenant_id, opportunity_id, competitor),
    FOREIGN KEY (tenant_id, opportunity_id) REFERENCES opportunity (tenant_id, id)
);
SELECT guanxi_tenant_table('opportunity_competitor');

-- What the customer bought by it.
CREATE TABLE opportunity_order (
    tenant_id      text NOT NULL,
    opportunity_id uuid NOT NULL,
    order_id       uuid NOT NULL,
    PRIMARY KEY (tenant_id, opportunity_id, order_id),
    FOREIGN KEY (tenant_id, opportunity_id) REFERENCES opportunity (tenant_id, id)
);
SELECT guanxi_tenant_table('opportunity_order');

-- What the follow-up of a stalled opportunity asked people to do.
CREATE TABLE opportunity_asked (
    tenant_id      text        NOT NULL,
    id             uuid        NOT NULL,
    opportunity_id uuid        NOT NULL,
    stall          integer     NOT NULL, -- which time it stalled, from 1
    kind           text        NOT NULL CHECK (kind IN ('remind', 'escalate', 'propose_close')),
    subject        text        NOT NULL, -- who is asked; empty: nobody is known
    team           text        NOT NULL,
    reason         text        NOT NULL,
    asked_at       timestamptz NOT NULL,
    done_at        timestamptz, -- once it went on, or was closed
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, opportunity_id) REFERENCES opportunity (tenant_id, id)
);
SELECT guanxi_tenant_table('opportunity_asked');
CREATE UNIQUE INDEX opportunity_asked_once ON opportunity_asked (tenant_id, opportunity_id, stall, kind);
CREATE INDEX opportunity_asked_open ON opportunity_asked (tenant_id, subject, id) WHERE done_at IS NULL;
CREATE INDEX opportunity_asked_team ON opportunity_asked (tenant_id, team, id);

-- +goose StatementBegin
-- opportunity_due lists opportunities of all tenants that may have stalled by p_now.
CREATE FUNCTION opportunity_due(p_now timestamptz, p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.tenant_id, o.id FROM opportunity o WHERE o.look_at <= p_now ORDER BY o.look_at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- opportunity_follow_up_late lists opportunities of all tenants about which somebody ought to have been asked before p_before: their
-- process was ended by hand, or was lost.
CREATE FUNCTION opportunity_follow_up_late(p_before timestamptz, p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.tenant_id, o.id FROM opportunity o WHERE o.follow_up_at < p_before ORDER BY o.follow_up_at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY ['opportunity_due(timestamptz, integer)', 'opportunity_follow_up_late(timestamptz, integer)'] LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', t);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', t, guanxi_role('app'));
    END LOOP;
END
$$;
-- +goose StatementEnd
