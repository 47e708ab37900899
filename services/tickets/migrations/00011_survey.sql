-- +goose Up

-- What customers can be asked. The questions stand in its versions.
CREATE TABLE survey (
    tenant_id  text        NOT NULL,
    id         uuid        NOT NULL, -- UUIDv7
    version    bigint      NOT NULL, -- of this row
    code       text        NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('csat', 'nps', 'ces', 'questionnaire')),
    anonymous  boolean     NOT NULL, -- a promise: it never changes
    state      text        NOT NULL CHECK (state IN ('open', 'closed')),
    questions  bigint      NOT NULL, -- version of the questions that new invitations get
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX survey_code ON survey (tenant_id, code);
SELECT guanxi_tenant_table('survey');

-- The questions of a survey with their translations, as one document that is read whole; append-only.
CREATE TABLE survey_version (
    tenant_id  text        NOT NULL,
    survey_id  uuid        NOT NULL,
    no         bigint      NOT NULL CHECK (no > 0),
    content    jsonb       NOT NULL,
    by_subject text        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, survey_id, no),
    FOREIGN KEY (tenant_id, survey_id) REFERENCES survey (tenant_id, id)
);
SELECT guanxi_tenant_table('survey_version');

-- What has a survey sent by itself.
CREATE TABLE survey_trigger (
    tenant_id     text    NOT NULL,
    id            uuid    NOT NULL, -- UUIDv7
    version       bigint  NOT NULL,
    survey_id     uuid    NOT NULL,
    moment        text    NOT NULL CHECK (moment IN ('ticket_resolved', 'ticket_closed', 'complaint_closed', 'interaction')),
    filter        text    NOT NULL, -- code of the resolution, outcome or touchpoint; empty for any
    channel       text    NOT NULL, -- to ask by; empty for the customer's own choice
    cooldown_days integer NOT NULL CHECK (cooldown_days BETWEEN 0 AND 365),
    active        boolean NOT NULL,
    since         timestamptz NOT NULL, -- what happened before it is not asked about
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, survey_id) REFERENCES survey (tenant_id, id)
);
CREATE INDEX survey_trigger_by_moment ON survey_trigger (tenant_id, moment) WHERE active;
SELECT guanxi_tenant_table('survey_trigger');

-- Who is asked. The link's secret is not here, only its hash. In anonymous mode nothing here leads to an answer: neither
-- when it was given nor which it is.
CREATE TABLE survey_invitation (
    tenant_id      text        NOT NULL,
    id             uuid        NOT NULL, -- UUIDv7
    survey_id      uuid        NOT NULL,
    survey_version bigint      NOT NULL,
    anonymous      boolean     NOT NULL,
    customer_id    uuid,       -- none once the customer was erased; so are the next three
    ticket_id      uuid,
    complaint_id   uuid,
    source_id      uuid,       -- what happened: with the trigger it is asked about once
    trigger_id     uuid,
    touchpoint     text        NOT NULL,
    channel        text        NOT NULL, -- asked for; once sent, by which
    by_hand        boolean     NOT NULL,
    round          integer     NOT NULL DEFAULT 1 CHECK (round > 0), -- how often accounts was asked, this time included
    state          text        NOT NULL CHECK (state IN ('waiting', 'refused', 'sent', 'bounced', 'answered')),
    refusal        text        NOT NULL, -- code of why nothing was sent
    contact_id     uuid,       -- accounts' contact by which the address is fetched
    token_hash     bytea,      -- once the link was fetched
    fetched_by     text        NOT NULL, -- subject
    created_at     timestamptz NOT NULL,
    sent_at        timestamptz,
    locks_at       timestamptz,
    answered_at    timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, survey_id, survey_version) REFERENCES survey_version (tenant_id, survey_id, no),
    CHECK ((state = 'refused') = (refusal <> '')),
    CHECK ((sent_at IS NULL) = (state IN ('waiting', 'refused'))),
    CHECK ((sent_at IS NULL) = (locks_at IS NULL)),
    CHECK (answered_at IS NULL OR NOT anonymous)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX survey_invitation_once ON survey_invitation (tenant_id, trigger_id, source_id);
CREATE UNIQUE INDEX survey_invitation_token ON survey_invitation (token_hash) WHERE token_hash IS NOT NULL;
CREATE INDEX survey_invitation_by_customer ON survey_invitation (tenant_id, customer_id, id);
CREATE INDEX survey_invitation_by_survey ON survey_invitation (tenant_id, survey_id, id);
CREATE INDEX survey_invitation_by_time ON survey_invitation (tenant_id, survey_id, sent_at);
CREATE INDEX survey_invitation_waiting ON survey_invitation (created_at) WHERE state = 'waiting';
SELECT guanxi_tenant_table('survey_invitation');

-- What was answered; append-only. In anonymous mode who answered is not known, and when only by its day.
CREATE TABLE survey_answer (
    tenant_id     text        NOT NULL,
    id            uuid        NOT NULL, -- UUIDv7; in anonymous mode of the day, otherwise random
    survey_id     uuid        NOT NULL,
    version       bigint      NOT NULL, -- of the questions
    invitation_id uuid,
    customer_id   uuid,
    ticket_id     uuid,
    complaint_id  uuid,
    touchpoint    text        NOT NULL,
    language      text        NOT NULL,
    score         smallint,   -- none of questionnaires
    answered_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, survey_id, version) REFERENCES survey_version (tenant_id, survey_id, no)
);
CREATE UNIQUE INDEX survey_answer_once ON survey_answer (tenant_id, invitation_id);
CREATE INDEX survey_answer_by_survey ON survey_answer (tenant_id, survey_id, answered_at);
CREATE INDEX survey_answer_by_survey_id ON survey_answer (tenant_id, survey_id, id);
CREATE INDEX survey_answer_by_customer ON survey_answer (tenant_id, customer_id, answered_at);
SELECT guanxi_tenant_table('survey_answer');

-- What was answered to each question, other than words: a choice or a number; append-only.
CREATE TABLE survey_value (
    tenant_id text    NOT NULL,
    answer_id uuid    NOT NULL,
    question  text    NOT NULL, -- its code
    part      text    NOT NULL, -- of questions with several: functional, dysfunctional, category; ideal, perceived, gap; chosen
    choice    text    NOT NULL, -- code of an option; empty of numbers
    number    integer,
    PRIMARY KEY (tenant_id, answer_id, question, part, choice),
    FOREIGN KEY (tenant_id, answer_id) REFERENCES survey_answer (tenant_id, id),
    CHECK ((choice = '') = (number IS NOT NULL))
);
SELECT guanxi_tenant_table('survey_value');

-- Words of those who answered; only an erasure changes them.
CREATE TABLE survey_words (
    tenant_id text NOT NULL,
    answer_id uuid NOT NULL,
    question  text NOT NULL,
    words     text NOT NULL,
    PRIMARY KEY (tenant_id, answer_id, question),
    FOREIGN KEY (tenant_id, answer_id) REFERENCES survey_answer (tenant_id, id)
);
SELECT guanxi_tenant_table('survey_words');

-- Answers in anonymous mode wait here until several are taken out together, mixed. A row that is written in the transaction
-- that marks its invitation as answered could be told by that transaction, and by its moment.
CREATE TABLE survey_urn (
    tenant_id   text        NOT NULL,
    survey_id   uuid        NOT NULL,
    id          uuid        NOT NULL, -- of the answer that it becomes
    version     bigint      NOT NULL, -- of the questions
    touchpoint  text        NOT NULL,
    language    text        NOT NULL,
    answered_on timestamptz NOT NULL, -- the beginning of the day
    content     jsonb       NOT NULL, -- what was answered; read whole
    PRIMARY KEY (tenant_id, survey_id, id)
);
CREATE INDEX survey_urn_by_day ON survey_urn (answered_on);
SELECT guanxi_tenant_table('survey_urn');

-- +goose StatementBegin
-- survey_urn_left lists the surveys of all tenants in whose urns answers of days before p_before are left.
CREATE FUNCTION survey_urn_left(p_before timestamptz) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT u.tenant_id, u.survey_id FROM survey_urn u WHERE u.answered_on < p_before
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- survey_by_token finds the invitation whose link has the secret of the hash, of whichever tenant: those who answer have no
-- token that names theirs. It gives ids only; whoever calls it goes on under row level security.
CREATE FUNCTION survey_by_token(p_hash bytea) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT i.tenant_id, i.id FROM survey_invitation i WHERE i.token_hash = p_hash
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- survey_waiting lists invitations of all tenants that were made before p_before and whose process has not said yet whether
-- they are sent: it was ended by hand, or was lost.
CREATE FUNCTION survey_waiting(p_before timestamptz, p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT i.tenant_id, i.id FROM survey_invitation i
     WHERE i.state = 'waiting' AND i.created_at < p_before ORDER BY i.created_at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- survey_erase empties the words that the customers, of the tenant that is set, wrote, and takes out of answers who gave
-- them. Nothing else changes an answer.
CREATE FUNCTION survey_erase(p_customers uuid[], OUT words bigint, OUT answers bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    tenant text := current_setting('app.tenant_id', true);
BEGIN
    UPDATE survey_words w SET words = '' FROM survey_answer a
     WHERE a.tenant_id = tenant AND a.customer_id = ANY (p_customers)
       AND w.tenant_id = tenant AND w.answer_id = a.id AND w.words <> '';
    GET DIAGNOSTICS words = ROW_COUNT;
    UPDATE survey_answer a SET customer_id = NULL, invitation_id = NULL, ticket_id = NULL, complaint_id = NULL
     WHERE a.tenant_id = tenant AND a.customer_id = ANY (p_customers);
    GET DIAGNOSTICS answers = ROW_COUNT;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY ['survey_version', 'survey_answer', 'survey_value', 'survey_words'] LOOP
        EXECUTE format('REVOKE UPDATE, DELETE ON %I FROM %I', t, guanxi_role('app'));
    END LOOP;
    FOREACH t IN ARRAY ARRAY ['survey_by_token(bytea)', 'survey_waiting(timestamptz, integer)', 'survey_urn_left(timestamptz)', 'survey_erase(uuid[])'] LOOP
        EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || t || ' FROM PUBLIC';
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', t, guanxi_role('app'));
    END LOOP;
END
$$;
-- +goose StatementEnd
