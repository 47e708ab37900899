-- +goose Up

-- Files on tickets. The file itself stands in the blob store under tickets/<tenant>/<id>, sealed by the secret of its row: whoever
-- takes away the secret has erased it, wherever copies are. A row is there before its file and goes after it.
CREATE TABLE attachment (
    tenant_id  text        NOT NULL,
    id         uuid        NOT NULL, -- UUIDv7
    ticket_id  uuid        NOT NULL,
    reply_id   uuid,                 -- of the reply or note that it belongs to; none: to the ticket
    state      text        NOT NULL CHECK (state IN ('arriving', 'kept', 'doomed')),
    name       text        NOT NULL, -- as people saved it, cleaned; empty once doomed
    type       text        NOT NULL, -- media type
    bytes      bigint      NOT NULL, -- 0 until it is kept
    sha256     bytea       NOT NULL, -- of the file; empty until it is kept, and once doomed
    secret     bytea       NOT NULL, -- 32 bytes; empty once doomed
    by_subject text        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES ticket (tenant_id, id),
    CHECK ((state = 'doomed') = (secret = '')),
    CHECK (state <> 'doomed' OR name = '')
);
CREATE INDEX attachment_by_ticket ON attachment (tenant_id, ticket_id, id);
CREATE INDEX attachment_to_sweep ON attachment (at) WHERE state <> 'kept';
SELECT guanxi_tenant_table('attachment');

-- What tickets have to do with each other: the one is a duplicate of the other, its parent, or caused by it.
CREATE TABLE ticket_link (
    tenant_id  text        NOT NULL,
    ticket_id  uuid        NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('duplicate_of', 'parent_of', 'caused_by')),
    other_id   uuid        NOT NULL CHECK (other_id <> ticket_id),
    by_subject text        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, ticket_id, kind, other_id),
    FOREIGN KEY (tenant_id, ticket_id) REFERENCES ticket (tenant_id, id),
    FOREIGN KEY (tenant_id, other_id) REFERENCES ticket (tenant_id, id)
);
CREATE INDEX ticket_link_by_other ON ticket_link (tenant_id, other_id, kind, ticket_id);
-- A ticket is a duplicate of one and has one parent.
CREATE UNIQUE INDEX ticket_link_duplicate ON ticket_link (tenant_id, ticket_id) WHERE kind = 'duplicate_of';
CREATE UNIQUE INDEX ticket_link_parent ON ticket_link (tenant_id, other_id) WHERE kind = 'parent_of';
SELECT guanxi_tenant_table('ticket_link');

CREATE INDEX ticket_by_merged ON ticket (tenant_id, merged_into) WHERE merged_into IS NOT NULL;

-- +goose StatementBegin
-- ticket_group gives a ticket's id and those of all that were merged into it, directly or by way of others.
CREATE FUNCTION ticket_group(p_tenant text, p_id uuid) RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    WITH RECURSIVE merged AS (
        SELECT p_id AS id
        UNION SELECT t.id FROM merged m CROSS JOIN LATERAL (SELECT id FROM ticket WHERE tenant_id = p_tenant AND merged_into = m.id) t
    )
    SELECT array_agg(id) FROM merged
$$;
-- +goose StatementEnd

-- Series of actions that people take with one word, such as an answer that is often given.
CREATE TABLE macro (
    tenant_id  text        NOT NULL,
    id         uuid        NOT NULL, -- UUIDv7
    version    bigint      NOT NULL,
    name       text        NOT NULL, -- as people choose it
    name_key   text        NOT NULL, -- folded: no two macros of a tenant are named alike
    actions    jsonb       NOT NULL, -- in order
    archived   boolean     NOT NULL, -- is offered no more
    by_subject text        NOT NULL, -- who changed it last
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX macro_by_name ON macro (tenant_id, name_key) WHERE NOT archived;
SELECT guanxi_tenant_table('macro');

-- +goose StatementBegin
-- attachment_to_sweep lists files of all tenants that are to go: those that are doomed, and those that have been arriving since
-- before p_before. It gives ids only; whoever calls it goes on under row level security, tenant by tenant.
CREATE FUNCTION attachment_to_sweep(p_before timestamptz, p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.tenant_id, a.id FROM attachment a
     WHERE a.state <> 'kept' AND (a.state = 'doomed' OR a.at < p_before) ORDER BY a.at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE 'REVOKE EXECUTE ON FUNCTION attachment_to_sweep(timestamptz, integer) FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION attachment_to_sweep(timestamptz, integer) TO %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
