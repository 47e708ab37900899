-- +goose Up

-- What people of the tenant call the outcomes of activities; without a row the standard ones.
CREATE TABLE activity_outcomes (
    tenant_id  text        NOT NULL PRIMARY KEY,
    version    bigint      NOT NULL CHECK (version > 0),
    outcomes   jsonb       NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text        NOT NULL
);
SELECT guanxi_tenant_table('activity_outcomes');

-- What customers object, and what can be answered. The texts are the tenant's, about nobody.
CREATE TABLE objection (
    tenant_id  text        NOT NULL,
    code       text        COLLATE "C" NOT NULL,
    version    bigint      NOT NULL CHECK (version > 0),
    text_en    text        NOT NULL,
    text_zh    text        NOT NULL,
    archived   boolean     NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text        NOT NULL,
    CONSTRAINT objection_key PRIMARY KEY (tenant_id, code)
);
SELECT guanxi_tenant_table('objection');

-- Another text is another answer: what followed belongs to the words that were said.
CREATE TABLE objection_answer (
    tenant_id   text        NOT NULL,
    id          uuid        NOT NULL,
    objection   text        COLLATE "C" NOT NULL,
    text_en     text        NOT NULL,
    text_zh     text        NOT NULL,
    author      text        NOT NULL, -- subject
    created_at  timestamptz NOT NULL,
    archived_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, objection) REFERENCES objection (tenant_id, code)
);
CREATE INDEX objection_answer_objection ON objection_answer (tenant_id, objection, id);
SELECT guanxi_tenant_table('objection_answer');

CREATE TABLE activity (
    tenant_id      text        NOT NULL,
    id             uuid        NOT NULL,
    version        bigint      NOT NULL CHECK (version > 0),
    kind           text        NOT NULL CHECK (kind IN ('task', 'call', 'meeting', 'visit')),
    state          text        NOT NULL CHECK (state IN ('open', 'completed', 'cancelled')),
    customer_id    uuid,       -- as it was written
    lead_id        uuid,
    opportunity_id uuid,
    title          text        NOT NULL, -- words, as are notes and report: empty once whoever they may be about was erased
    notes          text        NOT NULL,
    report         text        NOT NULL, -- what came of it
    owner          text        NOT NULL, -- subject
    due_on         date        NOT NULL,
    due_time       time,       -- on the wall of the zone; none: some time that day
    zone           text        NOT NULL, -- IANA name
    due_at         timestamptz NOT NULL, -- all that as an instant; without a time the end of the day
    outcome        text        NOT NULL, -- code
    effect         text        NOT NULL CHECK (effect IN ('', 'good', 'neutral', 'bad')), -- that the outcome was taken for
    objection      text        COLLATE "C" NOT NULL,
    answer_id      uuid,
    completed_at   timestamptz,
    cancelled_at   timestamptz,
    reason         text        NOT NULL, -- code of why it was cancelled
    closed_by      text        NOT NULL, -- subject of whoever completed or cancelled it
    erased_at      timestamptz,
    reminders      jsonb       NOT NULL, -- as people want them: amount and unit of each
    reminded       integer     NOT NULL, -- numbers of reminders that were used
    created_at     timestamptz NOT NULL,
    created_by     text        NOT NULL,
    changed_at     timestamptz NOT NULL,
    changed_by     text        NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CHECK (customer_id IS NOT NULL OR lead_id IS NOT NULL OR opportunity_id IS NOT NULL),
    CHECK ((state = 'completed') = (completed_at IS NOT NULL)),
    CHECK ((state = 'completed') = (outcome <> '')),
    CHECK ((state = 'cancelled') = (cancelled_at IS NOT NULL)),
    CHECK (answer_id IS NULL OR objection <> ''),
    CHECK (erased_at IS NULL OR title || notes || report = '')
);
CREATE INDEX activity_open_owner ON activity (tenant_id, owner, due_at, id) WHERE state = 'open';
CREATE INDEX activity_owner ON activity (tenant_id, owner, due_at, id);
CREATE INDEX activity_due ON activity (tenant_id, due_at, id);
CREATE INDEX activity_customer ON activity (tenant_id, customer_id, due_at, id) WHERE customer_id IS NOT NULL;
CREATE INDEX activity_lead ON activity (tenant_id, lead_id, due_at, id) WHERE lead_id IS NOT NULL;
CREATE INDEX activity_opportunity ON activity (tenant_id, opportunity_id, due_at, id) WHERE opportunity_id IS NOT NULL;
-- What was done next, and where an answer was given.
CREATE INDEX activity_done_customer ON activity (tenant_id, customer_id, completed_at) WHERE state = 'completed' AND customer_id IS NOT NULL;
CREATE INDEX activity_done_lead ON activity (tenant_id, lead_id, completed_at) WHERE state = 'completed' AND lead_id IS NOT NULL;
CREATE INDEX activity_done_opportunity ON activity (tenant_id, opportunity_id, completed_at) WHERE state = 'completed' AND opportunity_id IS NOT NULL;
CREATE INDEX activity_answered ON activity (tenant_id, objection, completed_at) WHERE answer_id IS NOT NULL;
SELECT guanxi_tenant_table('activity');

-- Each row is given once.
CREATE TABLE activity_reminder (
    tenant_id   text        NOT NULL,
    activity_id uuid        NOT NULL,
    no          integer     NOT NULL CHECK (no > 0),
    amount      integer     NOT NULL CHECK (amount >= 0),
    unit        text        NOT NULL CHECK (unit IN ('minutes', 'hours', 'days')), -- before it is due, of the owner's working time
    remind_at   timestamptz NOT NULL,
    given_at    timestamptz,
    given_to    text        NOT NULL DEFAULT '', -- subject
    seen_at     timestamptz,
    PRIMARY KEY (tenant_id, activity_id, no),
    FOREIGN KEY (tenant_id, activity_id) REFERENCES activity (tenant_id, id),
    CHECK ((given_at IS NULL) = (given_to = '')),
    CHECK (seen_at IS NULL OR given_at IS NOT NULL)
);
CREATE INDEX activity_reminder_due ON activity_reminder (remind_at, tenant_id) WHERE given_at IS NULL;
CREATE INDEX activity_reminder_given ON activity_reminder (tenant_id, given_to, given_at, activity_id, no) WHERE given_at IS NOT NULL AND seen_at IS NULL;
SELECT guanxi_tenant_table('activity_reminder');
