-- +goose Up

-- What customers allowed and no longer allow, in their words' order. Rows are only added; what holds now is derived from
-- them. A withdrawal made while customers are merged is one statement with a row for each id, so that it holds for all of
-- them after the merge is undone.
CREATE TABLE consent_record (
    tenant_id         text        NOT NULL,
    id                uuid        NOT NULL, -- UUIDv7, so the key's order is the order of recording
    statement_id      uuid        NOT NULL, -- the row of the id that was addressed; of all others of the statement the same
    customer_id       uuid        NOT NULL,
    purpose           text        NOT NULL,
    channel           text        NOT NULL, -- empty: all channels
    address_type      text        NOT NULL CHECK (address_type IN ('', 'phone', 'email')),
    address           text        NOT NULL, -- in its one form; empty: all addresses
    state             text        NOT NULL CHECK (state IN ('granted', 'withdrawn', 'pending')),
    kind              text        NOT NULL CHECK (kind IN ('plain', 'separate', 'guardian')),
    basis             text        NOT NULL, -- code of the legal basis
    source            text        NOT NULL, -- code of where it was said
    wording           text        NOT NULL, -- version of the words that were agreed to; empty for a withdrawal without
    actor             text        NOT NULL, -- subject of the token that recorded it
    guardian_name     text        NOT NULL,
    guardian_relation text        NOT NULL,
    guardian_until    date,                 -- until which day the guardian speaks for the child
    confirms          uuid,                 -- the pending record that this one confirms
    expires_at        timestamptz,          -- of a pending one: until when it can be confirmed
    said_at           timestamptz NOT NULL,
    recorded_at       timestamptz NOT NULL,
    erased_at         timestamptz,          -- since when address and guardian are taken out
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id),
    CHECK ((state = 'pending') = (expires_at IS NOT NULL)),
    CHECK ((address_type = '') = (address = '') OR erased_at IS NOT NULL),
    CHECK ((kind = 'guardian') = (guardian_until IS NOT NULL) OR erased_at IS NOT NULL)
);
CREATE INDEX consent_record_customer ON consent_record (tenant_id, customer_id, id);
CREATE INDEX consent_record_statement ON consent_record (tenant_id, statement_id, id);
CREATE UNIQUE INDEX consent_record_confirms ON consent_record (tenant_id, confirms) WHERE confirms IS NOT NULL;
SELECT guanxi_tenant_table('consent_record');

-- The tokens that were mailed for a double opt-in, as their hashes.
CREATE TABLE consent_confirmation (
    tenant_id   text  NOT NULL,
    token_hash  bytea NOT NULL, -- SHA-256
    consent_id  uuid  NOT NULL, -- the pending record
    customer_id uuid  NOT NULL, -- as it was addressed
    PRIMARY KEY (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, consent_id) REFERENCES consent_record (tenant_id, id)
);
CREATE INDEX consent_confirmation_customer ON consent_confirmation (tenant_id, customer_id);
SELECT guanxi_tenant_table('consent_confirmation');

-- Addresses that must not be used any more although nobody is left who said so: an erased customer's.
CREATE TABLE consent_suppression (
    tenant_id     text        NOT NULL,
    address_hash  bytea       NOT NULL, -- HMAC-SHA-256 of type and value with a key of the tenant's own
    purpose       text        NOT NULL, -- empty: every purpose that needs consent
    channel       text        NOT NULL, -- empty: all channels
    suppressed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, address_hash, purpose, channel)
);
SELECT guanxi_tenant_table('consent_suppression');

-- What a customer said that they prefer, and what was inferred. One row for each of both, so that what is inferred never
-- takes the place of what was said.
CREATE TABLE preference (
    tenant_id   text             NOT NULL,
    customer_id uuid             NOT NULL,
    key         text             NOT NULL CHECK (key ~ '^[a-z][a-z0-9_]{0,62}$'),
    source      text             NOT NULL CHECK (source IN ('said', 'inferred')),
    value       text             NOT NULL, -- codes, with commas between where there are several
    confidence  double precision NOT NULL CHECK (confidence > 0 AND confidence <= 1),
    at          timestamptz      NOT NULL, -- when it was said or inferred
    recorded_at timestamptz      NOT NULL,
    recorded_by text             NOT NULL, -- subject of the token
    PRIMARY KEY (tenant_id, customer_id, key, source),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer (tenant_id, id)
);
SELECT guanxi_tenant_table('preference');

-- Every question whether a customer may be reached, with its answer. The address is not kept: its keyed hash tells it
-- among the customer's identities for as long as it is one of them.
CREATE TABLE contact_log (
    tenant_id    text        NOT NULL,
    id           uuid        NOT NULL, -- UUIDv7
    key          text        NOT NULL, -- the asking workflow's
    input_hash   bytea       NOT NULL, -- SHA-256 of what was asked
    customer_id  uuid        NOT NULL, -- as it was asked for; there may be no such customer
    purpose      text        NOT NULL,
    asked        text        NOT NULL, -- the channel that was asked for; empty: any
    reason_type  text        NOT NULL,
    reason_id    text        NOT NULL,
    asked_by     text        NOT NULL, -- subject on whose behalf the workflow runs
    asked_at     timestamptz NOT NULL,
    refusal      text        NOT NULL, -- code; empty: allowed
    channel      text        NOT NULL, -- empty where refused
    address_hash bytea,
    valid_until  timestamptz,
    PRIMARY KEY (tenant_id, id),
    CHECK ((refusal = '') = (valid_until IS NOT NULL))
);
CREATE UNIQUE INDEX contact_log_key ON contact_log (tenant_id, key);
CREATE INDEX contact_log_customer ON contact_log (tenant_id, customer_id, id);
SELECT guanxi_tenant_table('contact_log');

-- Every attempt to fetch the address of a contact.
CREATE TABLE contact_reveal (
    tenant_id  text        NOT NULL,
    contact_id uuid        NOT NULL,
    id         uuid        NOT NULL, -- UUIDv7
    at         timestamptz NOT NULL,
    by         text        NOT NULL, -- subject of the token
    outcome    text        NOT NULL, -- given, or a code of why not
    PRIMARY KEY (tenant_id, contact_id, id),
    FOREIGN KEY (tenant_id, contact_id) REFERENCES contact_log (tenant_id, id)
);
CREATE UNIQUE INDEX contact_reveal_once ON contact_reveal (tenant_id, contact_id) WHERE outcome = 'given';
SELECT guanxi_tenant_table('contact_reveal');

-- +goose StatementBegin
-- consent_erase takes addresses and guardians out of the records of erased customers of the tenant that is set, and says
-- how many records had any. It can do nothing else to them.
CREATE FUNCTION consent_erase(customers uuid[]) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH emptied AS (
        UPDATE consent_record SET address = '', guardian_name = '', guardian_relation = '', guardian_until = NULL, erased_at = now()
         WHERE tenant_id = current_setting('app.tenant_id', true) AND customer_id = ANY (customers)
           AND (address <> '' OR guardian_name <> '' OR guardian_relation <> '' OR guardian_until IS NOT NULL)
        RETURNING 1)
    SELECT count(*) FROM emptied
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- contact_erase takes out by which of their addresses erased customers of the tenant that is set were reached.
CREATE FUNCTION contact_erase(customers uuid[]) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH emptied AS (
        UPDATE contact_log SET address_hash = NULL
         WHERE tenant_id = current_setting('app.tenant_id', true) AND customer_id = ANY (customers) AND address_hash IS NOT NULL
        RETURNING 1)
    SELECT count(*) FROM emptied
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON consent_record, contact_log, contact_reveal FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE DELETE ON consent_suppression FROM %I', guanxi_role('app'));
    EXECUTE 'REVOKE EXECUTE ON FUNCTION consent_erase(uuid[]), contact_erase(uuid[]) FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION consent_erase(uuid[]), contact_erase(uuid[]) TO %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
