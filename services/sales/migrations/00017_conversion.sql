-- +goose Up

-- How leads became customers: each request with how far its process is.
CREATE TABLE lead_conversion (
    tenant_id            text        NOT NULL,
    id                   uuid        NOT NULL, -- UUIDv7
    lead_id              uuid        NOT NULL,
    state                text        NOT NULL CHECK (state IN ('running', 'converted', 'refused', 'undoing', 'undone')),
    settled              boolean     NOT NULL, -- nothing is left to be put back at accounts
    wish                 jsonb       NOT NULL, -- what was asked for; the opportunity's name may be personal
    customer_id          uuid,                 -- as accounts gave it
    customer_created     boolean     NOT NULL,
    customer_etag        text        NOT NULL, -- as the conversion left it
    contact_id           uuid,
    contact_created      boolean     NOT NULL,
    contact_etag         text        NOT NULL,
    relationship_id      uuid,                 -- that the conversion made
    opportunity_id       uuid,
    currency             text        NOT NULL, -- in which the tenant reports, as accounts gave it
    refusal              text        NOT NULL, -- code of why not, or of why it was not undone
    candidates           jsonb       NOT NULL, -- customers who may be meant, where that is why
    requested_by         text        NOT NULL, -- subject
    requested_at         timestamptz NOT NULL,
    undone_by            text        NOT NULL, -- subject of who asked for that
    step_at              timestamptz NOT NULL, -- of the last step
    version              bigint      NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, lead_id) REFERENCES lead (tenant_id, id)
);
CREATE INDEX lead_conversion_lead ON lead_conversion (tenant_id, lead_id, id);
CREATE UNIQUE INDEX lead_conversion_one ON lead_conversion (tenant_id, lead_id) WHERE state IN ('running', 'converted', 'undoing');
CREATE INDEX lead_conversion_late ON lead_conversion (step_at) WHERE state IN ('running', 'undoing') OR NOT settled;
SELECT guanxi_tenant_table('lead_conversion');

-- +goose StatementBegin
-- lead_conversion_late lists conversions of all tenants with which their process ought to have done something before p_before: it
-- was ended by hand, or was lost; those that are being undone, or the others. It gives ids only; whoever calls it goes on under row level security, tenant by tenant.
CREATE FUNCTION lead_conversion_late(p_before timestamptz, p_undo boolean, p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.tenant_id, c.id FROM lead_conversion c
     WHERE (c.state IN ('running', 'undoing') OR NOT c.settled) AND (c.undone_by <> '') = p_undo AND c.step_at < p_before ORDER BY c.step_at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE DELETE ON lead_conversion FROM %I', guanxi_role('app'));
    EXECUTE 'REVOKE EXECUTE ON FUNCTION lead_conversion_late(timestamptz, boolean, integer) FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION lead_conversion_late(timestamptz, boolean, integer) TO %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
