-- +goose Up

-- Who has to approve what a tenant's sellers grant; none while the standard policy holds.
CREATE TABLE quote_policy (
    tenant_id  text        NOT NULL PRIMARY KEY,
    version    bigint      NOT NULL CHECK (version > 0),
    policy     jsonb       NOT NULL,
    by_subject text        NOT NULL,
    changed_at timestamptz NOT NULL
);
SELECT guanxi_tenant_table('quote_policy');

-- The last number that was given to a quote.
CREATE TABLE quote_number (
    tenant_id text   NOT NULL PRIMARY KEY,
    last      bigint NOT NULL
);
SELECT guanxi_tenant_table('quote_number');

CREATE TABLE quote (
    tenant_id      text        NOT NULL,
    id             uuid        NOT NULL,
    number         bigint      NOT NULL,
    revision       bigint      NOT NULL CHECK (revision > 0),
    customer_id    uuid        NOT NULL,
    opportunity_id uuid,
    latest         integer     NOT NULL CHECK (latest > 0), -- version
    state          text        NOT NULL,                    -- of the latest version
    created_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, number)
);
CREATE INDEX quote_customer ON quote (tenant_id, customer_id, id);
CREATE INDEX quote_opportunity ON quote (tenant_id, opportunity_id, id) WHERE opportunity_id IS NOT NULL;
CREATE INDEX quote_state ON quote (tenant_id, state, id);
SELECT guanxi_tenant_table('quote');

CREATE TABLE quote_version (
    tenant_id             text        NOT NULL,
    quote_id              uuid        NOT NULL,
    no                    integer     NOT NULL CHECK (no > 0),
    state                 text        NOT NULL CHECK (state IN
        ('draft', 'in_approval', 'approved', 'sent', 'accepted', 'declined', 'expired', 'withdrawn')),
    currency              text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    price_list            text        NOT NULL,
    title                 text        NOT NULL,
    recipient             text        NOT NULL,
    terms                 text        NOT NULL,
    issuer                text        NOT NULL, -- as the policy had it
    language              text        NOT NULL,
    valid_until           date        NOT NULL,
    time_zone             text        NOT NULL,
    expires_at            timestamptz NOT NULL, -- when valid_until ends in time_zone
    discount_rate         integer     NOT NULL CHECK (discount_rate BETWEEN 0 AND 10000),
    discount_amount_minor bigint      NOT NULL CHECK (discount_amount_minor >= 0),
    amount_minor          bigint      NOT NULL,
    rule_minor            bigint      NOT NULL,
    discount_minor        bigint      NOT NULL,
    shared_minor          bigint      NOT NULL,
    net_minor             bigint      NOT NULL CHECK (net_minor = amount_minor - rule_minor - discount_minor - shared_minor),
    tax_minor             bigint      NOT NULL,
    total_minor           bigint      NOT NULL CHECK (total_minor = net_minor + tax_minor),
    base_minor            bigint      NOT NULL CHECK (base_minor >= net_minor),
    authors               text[]      NOT NULL, -- who wrote, edited or submitted it or a version before
    submission            integer     NOT NULL,
    policy                jsonb,                -- as it was when the version was submitted
    level_last            integer     NOT NULL, -- place of the level that may grant so much; -1: nobody is needed
    level_at              integer     NOT NULL, -- place of the level that is asked
    escalated             boolean     NOT NULL,
    given                 jsonb       NOT NULL, -- who approved on which level
    asked_at              timestamptz,
    due_at                timestamptz,          -- until when the level that is asked has time
    requested_by          text        NOT NULL,
    approved_at           timestamptz,
    order_id              uuid,
    reason                text        NOT NULL,
    created_at            timestamptz NOT NULL,
    changed_at            timestamptz NOT NULL,
    sent_at               timestamptz,
    ended_at              timestamptz,
    PRIMARY KEY (tenant_id, quote_id, no),
    FOREIGN KEY (tenant_id, quote_id) REFERENCES quote (tenant_id, id),
    CHECK ((state = 'in_approval') = (due_at IS NOT NULL)),
    CHECK ((state = 'accepted') = (order_id IS NOT NULL))
);
-- The customer has one version at a time, and takes one at most.
CREATE UNIQUE INDEX quote_version_sent ON quote_version (tenant_id, quote_id) WHERE state = 'sent';
CREATE UNIQUE INDEX quote_version_accepted ON quote_version (tenant_id, quote_id) WHERE state = 'accepted';
CREATE INDEX quote_version_due ON quote_version (due_at) WHERE state = 'in_approval';
CREATE INDEX quote_version_asked ON quote_version (tenant_id, quote_id) WHERE state = 'in_approval';
CREATE INDEX quote_version_expires ON quote_version (expires_at) WHERE state = 'sent';
SELECT guanxi_tenant_table('quote_version');

CREATE TABLE quote_line (
    tenant_id             text    NOT NULL,
    quote_id              uuid    NOT NULL,
    version_no            integer NOT NULL,
    no                    integer NOT NULL CHECK (no > 0),
    sku                   text    NOT NULL, -- empty for what is no article
    words                 text    NOT NULL,
    quantity              bigint  NOT NULL CHECK (quantity > 0),
    unit_price            bigint  CHECK (unit_price >= 0), -- as it was typed
    discount_rate         integer NOT NULL CHECK (discount_rate BETWEEN 0 AND 10000),
    discount_amount_minor bigint  NOT NULL CHECK (discount_amount_minor >= 0),
    tax_rate              integer CHECK (tax_rate BETWEEN 0 AND 10000),
    tax_amount_minor      bigint  CHECK (tax_amount_minor >= 0),
    unit_minor            bigint  NOT NULL,
    amount_minor          bigint  NOT NULL,
    rules                 jsonb   NOT NULL, -- what price rules took off
    rule_minor            bigint  NOT NULL,
    discount_minor        bigint  NOT NULL,
    shared_minor          bigint  NOT NULL, -- the line's share of the discount on the whole quote
    net_minor             bigint  NOT NULL CHECK (net_minor >= 0 AND net_minor = amount_minor - rule_minor - discount_minor - shared_minor),
    tax_minor             bigint  NOT NULL CHECK (tax_minor >= 0),
    gross_minor           bigint  NOT NULL CHECK (gross_minor = net_minor + tax_minor),
    base_minor            bigint  NOT NULL,
    PRIMARY KEY (tenant_id, quote_id, version_no, no),
    FOREIGN KEY (tenant_id, quote_id, version_no) REFERENCES quote_version (tenant_id, quote_id, no)
);
SELECT guanxi_tenant_table('quote_line');

-- What happened, step by step; append-only. A decision stands here once, under the id that its maker gave it.
CREATE TABLE quote_step (
    tenant_id   text        NOT NULL,
    quote_id    uuid        NOT NULL,
    no          integer     NOT NULL CHECK (no > 0),
    action      text        NOT NULL,
    version_no  integer     NOT NULL,
    decision_id uuid,
    input_hash  bytea,      -- of the decision: tells a repetition from another one under the same id
    by_subject  text        NOT NULL,
    at          timestamptz NOT NULL,
    level       text        NOT NULL,
    code        text        NOT NULL,
    note_id     uuid,       -- what was said with it
    PRIMARY KEY (tenant_id, quote_id, no),
    FOREIGN KEY (tenant_id, quote_id) REFERENCES quote (tenant_id, id)
);
CREATE UNIQUE INDEX quote_step_decision ON quote_step (tenant_id, decision_id) WHERE decision_id IS NOT NULL;
SELECT guanxi_tenant_table('quote_step');

-- What people say of a quote: it stays here, and everything else refers to it by id.
CREATE TABLE quote_note (
    tenant_id  text        NOT NULL,
    id         uuid        NOT NULL,
    quote_id   uuid        NOT NULL,
    words      text        NOT NULL,
    by_subject text        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, quote_id) REFERENCES quote (tenant_id, id)
);
CREATE INDEX quote_note_quote ON quote_note (tenant_id, quote_id);
SELECT guanxi_tenant_table('quote_note');

-- +goose StatementBegin
-- What the customer has, or had, does not change: neither the amounts nor, unless the customer is erased, the words.
CREATE FUNCTION quote_version_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.sent_at IS NOT NULL AND (OLD.currency, OLD.price_list, OLD.issuer, OLD.language, OLD.valid_until, OLD.time_zone, OLD.expires_at,
            OLD.discount_rate, OLD.discount_amount_minor, OLD.amount_minor, OLD.net_minor, OLD.tax_minor, OLD.total_minor, OLD.sent_at)
        IS DISTINCT FROM (NEW.currency, NEW.price_list, NEW.issuer, NEW.language, NEW.valid_until, NEW.time_zone, NEW.expires_at,
            NEW.discount_rate, NEW.discount_amount_minor, NEW.amount_minor, NEW.net_minor, NEW.tax_minor, NEW.total_minor, NEW.sent_at)
    THEN
        RAISE EXCEPTION 'version % of quote % was sent and stays as it is', OLD.no, OLD.quote_id;
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER quote_version_stays BEFORE UPDATE ON quote_version FOR EACH ROW EXECUTE FUNCTION quote_version_stays();

-- +goose StatementBegin
CREATE FUNCTION quote_line_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM quote_version v WHERE v.tenant_id = OLD.tenant_id AND v.quote_id = OLD.quote_id AND v.no = OLD.version_no
        AND v.sent_at IS NOT NULL)
    THEN
        RAISE EXCEPTION 'version % of quote % was sent and stays as it is', OLD.version_no, OLD.quote_id;
    END IF;
    RETURN OLD;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER quote_line_stays BEFORE DELETE ON quote_line FOR EACH ROW EXECUTE FUNCTION quote_line_stays();

-- +goose StatementBegin
-- quote_overdue lists quotes of all tenants whose level had time until before p_before and of which nothing was heard since: their
-- process was ended by hand, or was lost. Like quote_expired it gives ids only; whoever calls it goes on under row level security,
-- tenant by tenant.
CREATE FUNCTION quote_overdue(p_before timestamptz, p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT v.tenant_id, v.quote_id FROM quote_version v WHERE v.state = 'in_approval' AND v.due_at < p_before ORDER BY v.due_at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- quote_expired lists quotes of all tenants that could be accepted until p_now at the latest.
CREATE FUNCTION quote_expired(p_now timestamptz, p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT v.tenant_id, v.quote_id FROM quote_version v WHERE v.state = 'sent' AND v.expires_at <= p_now ORDER BY v.expires_at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON quote_step FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE UPDATE ON quote_line FROM %I', guanxi_role('app'));
    EXECUTE format('GRANT UPDATE (words) ON quote_line TO %I', guanxi_role('app')); -- of customers who are erased
    FOREACH t IN ARRAY ARRAY ['quote_policy', 'quote_number', 'quote', 'quote_version', 'quote_note'] LOOP
        EXECUTE format('REVOKE DELETE ON %I FROM %I', t, guanxi_role('app'));
    END LOOP;
    FOREACH t IN ARRAY ARRAY ['quote_overdue(timestamptz, integer)', 'quote_expired(timestamptz, integer)'] LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', t);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', t, guanxi_role('app'));
    END LOOP;
END
$$;
-- +goose StatementEnd
