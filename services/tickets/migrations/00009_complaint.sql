-- +goose Up

-- What a policy asks for beside limits and time limits. The defaults are those of the standard policy.
ALTER TABLE complaint_policy
    ADD COLUMN acknowledge_seconds bigint   NOT NULL DEFAULT 86400 CHECK (acknowledge_seconds > 0),
    ADD COLUMN verify_seconds      bigint   NOT NULL DEFAULT 0 CHECK (verify_seconds >= 0),   -- for the customer's verdict; 0: nobody is asked
    ADD COLUMN low_score           smallint NOT NULL DEFAULT 2 CHECK (low_score BETWEEN 1 AND 4), -- of 1 to 5: up to here it is dealt with anew
    ADD COLUMN reopens             integer  NOT NULL DEFAULT 2 CHECK (reopens >= 0),          -- how often a low score does that
    ADD COLUMN manager_severity    smallint NOT NULL DEFAULT 1 CHECK (manager_severity BETWEEN 0 AND 4), -- as grave or graver: a manager approves
    ADD COLUMN director_severity   smallint NOT NULL DEFAULT 0 CHECK (director_severity BETWEEN 0 AND 4),
    ADD COLUMN legal_days          integer  NOT NULL DEFAULT 0 CHECK (legal_days >= 0),       -- working days for the final answer; 0: no such deadline
    ADD COLUMN legal_calendar_id   uuid,                                                      -- none: the tenant's default calendar
    ADD COLUMN legal_warn_days     integer[] NOT NULL DEFAULT '{5,1}',                        -- working days before it
    ADD COLUMN outside_bodies      jsonb    NOT NULL DEFAULT '[]';                            -- that a final answer names

-- The remedies of a tenant; the standard menu holds where there is no row.
CREATE TABLE complaint_menu (
    tenant_id text   NOT NULL PRIMARY KEY,
    version   bigint NOT NULL,
    entries   jsonb  NOT NULL
);
SELECT guanxi_tenant_table('complaint_menu');

ALTER TABLE complaint
    ADD COLUMN level           smallint    NOT NULL DEFAULT 1, -- that deals with it; rises when it is reopened
    ADD COLUMN reopened        integer     NOT NULL DEFAULT 0,
    ADD COLUMN objected        boolean     NOT NULL DEFAULT false, -- the customer may once
    ADD COLUMN safety          boolean     NOT NULL DEFAULT false, -- people may come to harm
    ADD COLUMN containment     text        NOT NULL DEFAULT '',    -- code of what was done at once
    ADD COLUMN declined_by     text        NOT NULL DEFAULT '',    -- subject who refused the responsibility
    ADD COLUMN ruled           boolean     NOT NULL DEFAULT false, -- a supervisor said who answers for it
    ADD COLUMN acknowledge_by  timestamptz,
    ADD COLUMN acknowledged_at timestamptz,
    ADD COLUMN legal_due_at    timestamptz, -- of the final answer; none: no such deadline
    ADD COLUMN answered_at     timestamptz, -- the final answer was given
    ADD COLUMN alarms          jsonb       NOT NULL DEFAULT '[]',  -- that still have to ring, the earliest first
    ADD COLUMN score           smallint,    -- the customer's verdict on the last remedy
    ADD COLUMN score_kind      text        NOT NULL DEFAULT '',    -- csat, nps or ces
    ADD COLUMN carried_minor   bigint      NOT NULL DEFAULT 0, -- what was spent since it was last closed, less what the last proposal cost
    ADD COLUMN crisis_id       uuid,        -- the crisis that it is a part of
    ADD COLUMN escalated_at    timestamptz, -- somebody said that it is more than one customer's matter
    ADD COLUMN reviewed_at     timestamptz,
    DROP CONSTRAINT complaint_stage_check,
    ADD CONSTRAINT complaint_stage_check CHECK (stage IN ('registered', 'assessed', 'assigned', 'disputed', 'found', 'proposed', 'offered',
        'accepted', 'stuck', 'verifying', 'answering', 'closed'));
CREATE INDEX complaint_by_ticket ON complaint (tenant_id, ticket_id);
CREATE INDEX complaint_by_crisis ON complaint (tenant_id, crisis_id, id) WHERE crisis_id IS NOT NULL;
CREATE INDEX complaint_escalated ON complaint (tenant_id, id) WHERE escalated_at IS NOT NULL;

ALTER TABLE complaint_part
    ADD COLUMN entry      text     NOT NULL DEFAULT '', -- of the menu
    ADD COLUMN justice    text[]   NOT NULL DEFAULT '{}', -- which it answers
    ADD COLUMN consent    boolean, -- whether it needs the customer's; none: before there was a menu, a refund does
    DROP CONSTRAINT complaint_part_kind_check,
    ADD CONSTRAINT complaint_part_kind_check CHECK (kind IN ('points', 'apology', 'explanation', 'voucher', 'repair', 'exchange',
        'free_service', 'refund'));

-- Codes, numbers and times of a step; no words.
ALTER TABLE complaint_step ADD COLUMN detail jsonb NOT NULL DEFAULT '{}';

-- Words belong to the decision with which they were said; those of one that was refused are shown nowhere.
ALTER TABLE complaint_note
    ADD COLUMN decision_id uuid,
    ADD COLUMN place       smallint NOT NULL DEFAULT 0, -- among what was said with it
    DROP CONSTRAINT complaint_note_kind_check,
    ADD CONSTRAINT complaint_note_kind_check CHECK (kind IN ('description', 'wish', 'reason', 'containment', 'root_cause', 'evidence',
        'facts', 'prevention', 'answer'));

-- What is done so that it does not happen again.
CREATE TABLE complaint_prevention (
    tenant_id    text        NOT NULL,
    complaint_id uuid        NOT NULL,
    no           integer     NOT NULL CHECK (no > 0),
    decision_id  uuid        NOT NULL, -- whose note says what
    owner        text        NOT NULL, -- subject
    due_at       timestamptz NOT NULL,
    done_at      timestamptz,
    PRIMARY KEY (tenant_id, complaint_id, no),
    FOREIGN KEY (tenant_id, complaint_id) REFERENCES complaint (tenant_id, id)
);
CREATE INDEX complaint_prevention_open ON complaint_prevention (tenant_id, due_at, complaint_id, no) WHERE done_at IS NULL;
SELECT guanxi_tenant_table('complaint_prevention');

-- What was heard of a complaint and its process has yet to be told: the customer's verdict, a reply on its ticket. Each is
-- told under its own id, so that it counts once, and is struck off then.
CREATE TABLE complaint_fact (
    tenant_id    text        NOT NULL,
    id           uuid        NOT NULL, -- of the event
    complaint_id uuid        NOT NULL,
    action       text        NOT NULL CHECK (action IN ('verify', 'acknowledge', 'reply')),
    score        smallint    NOT NULL,
    code         text        NOT NULL, -- kind of the score, channel of the reply
    not_before   timestamptz NOT NULL,
    attempts     integer     NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, complaint_id) REFERENCES complaint (tenant_id, id)
);
CREATE INDEX complaint_fact_due ON complaint_fact (not_before);
SELECT guanxi_tenant_table('complaint_fact');

-- +goose StatementBegin
-- complaint_fact_lease gives facts of all tenants that are to be told, the oldest first, and puts them off, so that other
-- processes leave them alone meanwhile. It gives ids only; whoever calls it goes on under row level security.
CREATE FUNCTION complaint_fact_lease(p_now timestamptz, p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE complaint_fact f
       SET attempts = f.attempts + 1, not_before = p_now + interval '5 seconds' * least(power(2, f.attempts), 60)
      FROM (SELECT d.tenant_id, d.id FROM complaint_fact d WHERE d.not_before <= p_now
             ORDER BY d.not_before LIMIT p_limit FOR UPDATE SKIP LOCKED) d
     WHERE f.tenant_id = d.tenant_id AND f.id = d.id
 RETURNING f.tenant_id, f.id
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE 'REVOKE EXECUTE ON FUNCTION complaint_fact_lease(timestamptz, integer) FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION complaint_fact_lease(timestamptz, integer) TO %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
