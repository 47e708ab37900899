-- +goose Up

-- What each tenant wants of leads.
CREATE TABLE lead_setting (
    tenant_id     text        NOT NULL PRIMARY KEY,
    dedupe        text[]      NOT NULL, -- by what two leads are the same: email, phone, company; none: each capture is a lead of its own
    region        text        NOT NULL, -- ISO 3166-1 alpha-2 code of the country that a telephone number without one is of
    version       bigint      NOT NULL,
    changed_at    timestamptz NOT NULL,
    changed_by    text        NOT NULL
);
SELECT guanxi_tenant_table('lead_setting');

-- Fields that a tenant defines by itself.
CREATE TABLE lead_field (
    tenant_id  text        NOT NULL,
    name       text        COLLATE "C" NOT NULL,
    title      text        NOT NULL,
    type       text        NOT NULL,
    choices    text[]      NOT NULL,
    archived   boolean     NOT NULL DEFAULT false,
    used       boolean     NOT NULL DEFAULT false, -- a lead has, or had, a value
    version    bigint      NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, name)
);
SELECT guanxi_tenant_table('lead_field');

-- Somebody who may want to buy. The words about them (name to website, need, custom) stand here and in the tables that hang on it,
-- and nowhere else.
CREATE TABLE lead (
    tenant_id           text        NOT NULL,
    id                  uuid        NOT NULL,
    state               text        NOT NULL CHECK (state IN ('open', 'nurturing', 'qualified', 'converted', 'lost')),
    name                text        NOT NULL,
    company             text        NOT NULL,
    job_title           text        NOT NULL,
    email               text        NOT NULL, -- in lower case
    phone               text        NOT NULL, -- E.164
    website             text        NOT NULL, -- a domain
    name_key            text        COLLATE "C" NOT NULL, -- name and company in small letters, for what begins with something
    company_key         text        COLLATE "C" NOT NULL,
    domain              text        NOT NULL, -- of the company: the website's, or the mail address' where that is not a provider's
    country             text        NOT NULL,
    language            text        NOT NULL,
    industry            text        NOT NULL,
    capture             text        NOT NULL CHECK (capture IN ('api', 'form', 'import', 'campaign_reply')),
    source              text        NOT NULL,
    campaign            text        NOT NULL,
    form_id             uuid,
    team                text        NOT NULL,
    owner               text        NOT NULL, -- subject
    assigned_at         timestamptz,
    pipeline            text        NOT NULL,
    stage               text        NOT NULL, -- of what came in closed: how far it came; empty: the pipeline's first
    tags                text[]      NOT NULL,
    custom              jsonb       NOT NULL,
    need                text        NOT NULL, -- words
    budget_minor        bigint      CHECK (budget_minor >= 0),
    budget_currency     text        NOT NULL CHECK (budget_currency ~ '^([A-Z]{3})?$'),
    authority           text        NOT NULL,
    decide_by           date,
    qualified_at        timestamptz,
    qualified_by        text        NOT NULL,
    lost_at             timestamptz,
    lost_reason         text        NOT NULL,
    converted_at        timestamptz,
    contact_id          uuid,       -- of the conversion, as is the next
    opportunity_id      uuid,
    before_state        text        NOT NULL, -- what an undone conversion goes back to
    before_customer     uuid,
    customer_id         uuid,       -- whom the lead is known to be, as it was written
    customer_candidates jsonb       NOT NULL, -- who it may be: ids and codes of why
    customer_checked_at timestamptz,          -- when accounts was asked; none: to be asked
    enquiries           integer     NOT NULL CHECK (enquiries > 0),
    enquired_at         timestamptz NOT NULL, -- the last time
    captured_at         timestamptz NOT NULL,
    recorded_at         timestamptz NOT NULL,
    changed_at          timestamptz NOT NULL,
    erased_at           timestamptz,
    version             bigint      NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CHECK ((budget_minor IS NULL) = (budget_currency = '')),
    CHECK ((state = 'lost') = (lost_at IS NOT NULL)),
    CHECK ((state = 'converted') = (converted_at IS NOT NULL)),
    CHECK (erased_at IS NULL OR name || company || job_title || email || phone || website || need = '')
);
CREATE INDEX lead_state ON lead (tenant_id, state, id);
CREATE INDEX lead_owner ON lead (tenant_id, owner, id);
CREATE INDEX lead_team ON lead (tenant_id, team, id);
CREATE INDEX lead_source ON lead (tenant_id, source, id);
CREATE INDEX lead_customer ON lead (tenant_id, customer_id, id) WHERE customer_id IS NOT NULL;
CREATE INDEX lead_contact ON lead (tenant_id, contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX lead_before_customer ON lead (tenant_id, before_customer) WHERE before_customer IS NOT NULL;
CREATE INDEX lead_name ON lead (tenant_id, name_key, id);
CREATE INDEX lead_company ON lead (tenant_id, company_key, id);
CREATE INDEX lead_unchecked ON lead (recorded_at) WHERE customer_checked_at IS NULL AND erased_at IS NULL AND state IN ('open', 'nurturing', 'qualified');
-- The ways to find an open lead again. They are of all leads: the planner thinks that an index of some has so few rows that it does
-- not matter which it takes.
CREATE INDEX lead_email ON lead (tenant_id, email, id);
CREATE INDEX lead_phone ON lead (tenant_id, phone, id);
CREATE INDEX lead_domain ON lead (tenant_id, domain, id);
SELECT guanxi_tenant_table('lead');

-- The tags of leads once more, so that a list of one tag is read by an index.
CREATE TABLE lead_tag (
    tenant_id text NOT NULL,
    tag       text NOT NULL,
    lead_id   uuid NOT NULL,
    PRIMARY KEY (tenant_id, tag, lead_id),
    FOREIGN KEY (tenant_id, lead_id) REFERENCES lead (tenant_id, id)
);
CREATE INDEX lead_tag_lead ON lead_tag (tenant_id, lead_id);
SELECT guanxi_tenant_table('lead_tag');

-- Each time that somebody came, with the words as they came: the first makes the lead.
CREATE TABLE lead_enquiry (
    tenant_id   text        NOT NULL,
    id          uuid        NOT NULL,
    lead_id     uuid        NOT NULL,
    external_system text,   -- the other system's name for what came in
    external_id text,
    fingerprint bytea,      -- of the content as it came in, where there is such a name: tells a repetition from another content
    capture     text        NOT NULL,
    source      text        NOT NULL,
    campaign    text        NOT NULL,
    form_id     uuid,
    matched_by  text        NOT NULL, -- customer, email, phone or company; empty for the first
    name        text        NOT NULL,
    company     text        NOT NULL,
    email       text        NOT NULL,
    phone       text        NOT NULL,
    message     text        NOT NULL,
    enquired_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CHECK ((external_system IS NULL) = (external_id IS NULL)),
    FOREIGN KEY (tenant_id, lead_id) REFERENCES lead (tenant_id, id)
);
CREATE UNIQUE INDEX lead_enquiry_external ON lead_enquiry (tenant_id, external_system, external_id);
CREATE INDEX lead_enquiry_lead ON lead_enquiry (tenant_id, lead_id, id);
SELECT guanxi_tenant_table('lead_enquiry');

CREATE TABLE lead_note (
    tenant_id  text        NOT NULL,
    id         uuid        NOT NULL,
    lead_id    uuid        NOT NULL,
    words      text        NOT NULL,
    written_by text        NOT NULL,
    written_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, lead_id) REFERENCES lead (tenant_id, id)
);
CREATE INDEX lead_note_lead ON lead_note (tenant_id, lead_id, id);
SELECT guanxi_tenant_table('lead_note');

-- What became of each lead, one row a change: codes, ids and subjects only.
CREATE TABLE lead_history (
    tenant_id  text        NOT NULL,
    lead_id    uuid        NOT NULL,
    no         bigint      NOT NULL, -- the lead's version that the change made
    what       text        NOT NULL,
    state_from text        NOT NULL, -- empty for the first
    state_to   text        NOT NULL,
    team       text        NOT NULL, -- after the change, as is owner
    owner      text        NOT NULL,
    reason     text        NOT NULL, -- code
    changed_by text        NOT NULL, -- subject
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, lead_id, no),
    FOREIGN KEY (tenant_id, lead_id) REFERENCES lead (tenant_id, id)
);
SELECT guanxi_tenant_table('lead_history');

-- Forms on websites. Whoever knows the key may fill one in.
CREATE TABLE lead_form (
    tenant_id   text        NOT NULL,
    id          uuid        NOT NULL,
    code        text        NOT NULL,
    key         text        NOT NULL,
    name        text        NOT NULL,
    state       text        NOT NULL CHECK (state IN ('open', 'closed')),
    origins     text[]      NOT NULL,
    fields      jsonb       NOT NULL,
    trap        text        NOT NULL, -- name of the field that people do not see
    source      text        NOT NULL,
    campaign    text        NOT NULL,
    team        text        NOT NULL,
    tags        text[]      NOT NULL,
    per_minute  integer     NOT NULL CHECK (per_minute > 0),
    version     bigint      NOT NULL,
    changed_at  timestamptz NOT NULL,
    changed_by  text        NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX lead_form_code ON lead_form (tenant_id, code);
CREATE UNIQUE INDEX lead_form_key ON lead_form (key);
SELECT guanxi_tenant_table('lead_form');

-- How often a form was filled in, by the minute; the last few only.
CREATE TABLE lead_form_use (
    tenant_id text        NOT NULL,
    form_id   uuid        NOT NULL,
    minute    timestamptz NOT NULL,
    used      integer     NOT NULL,
    PRIMARY KEY (tenant_id, form_id, minute),
    FOREIGN KEY (tenant_id, form_id) REFERENCES lead_form (tenant_id, id)
);
SELECT guanxi_tenant_table('lead_form_use');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON lead_history FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE DELETE ON lead, lead_enquiry, lead_note FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- lead_form_by_key finds the form that has a key, of whichever tenant: those who fill it in have no token that names theirs.
-- It gives ids only; whoever calls it goes on under row level security.
CREATE FUNCTION lead_form_by_key(p_key text) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT f.tenant_id, f.id FROM lead_form f WHERE f.key = p_key
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- lead_unchecked lists open leads of all tenants of which accounts was not asked yet whether it knows them, the oldest first.
CREATE FUNCTION lead_unchecked(p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT l.tenant_id, l.id FROM lead l
     WHERE l.customer_checked_at IS NULL AND l.erased_at IS NULL AND l.state IN ('open', 'nurturing', 'qualified')
     ORDER BY l.recorded_at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['lead_form_by_key(text)', 'lead_unchecked(integer)'] LOOP
        EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || t || ' FROM PUBLIC';
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', t, guanxi_role('app'));
    END LOOP;
END
$$;
-- +goose StatementEnd
