-- +goose Up

-- What an import changes is marked behind whatever else is marked: its marks bear numbers from 2^62 on. A customer whom
-- somebody changes meanwhile is found anew within moments, and the import's as soon as it leaves the machine to others.

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION customer_mark_pending() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    behind bigint := CASE WHEN current_setting('guanxi.bulk', true) = 'on' THEN 4611686018427387904 ELSE 0 END;
BEGIN
    INSERT INTO customer_pending (tenant_id, seq, customer_id) OVERRIDING SYSTEM VALUE
    SELECT tenant_id, nextval('customer_pending_seq_seq') + behind, id FROM changed;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- As before, with one look for each customer instead of one for each identity.
CREATE OR REPLACE FUNCTION customer_identity_of_somebody() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM (SELECT DISTINCT tenant_id, customer_id FROM added) a LEFT JOIN LATERAL (SELECT true AS there FROM customer c
            WHERE c.tenant_id = a.tenant_id AND c.id = a.customer_id LIMIT 1) c ON true WHERE c.there IS NULL) THEN
        RAISE foreign_key_violation USING MESSAGE = 'an identity is of no customer', TABLE = 'customer_identity',
            CONSTRAINT = 'customer_identity_of_somebody';
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
