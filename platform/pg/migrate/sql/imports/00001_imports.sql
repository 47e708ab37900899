-- Imports: the job, the file in chunks while it is worked on, and the rows that were not taken.

-- +goose Up
CREATE TABLE import_job (
    tenant_id        text NOT NULL,
    id               uuid NOT NULL,
    kind             text NOT NULL,
    state            text NOT NULL
        CHECK (state IN ('uploading', 'accepted', 'running', 'finished', 'cancelled', 'failed')),
    -- on whose behalf, and in whose trace, the workflow runs
    subject          text NOT NULL,
    unit             text NOT NULL,
    roles            text[] NOT NULL,
    trace            jsonb NOT NULL,
    -- how the file is read
    format           text NOT NULL,
    plan             jsonb NOT NULL,
    policy           text NOT NULL,
    dry_run          boolean NOT NULL,
    -- how far: byte offset of the next record, physical lines before it, and what became of the rows
    bytes            bigint NOT NULL DEFAULT 0,
    position         bigint NOT NULL,
    line             bigint NOT NULL,
    row_count        bigint NOT NULL DEFAULT 0,
    accepted         bigint NOT NULL DEFAULT 0,
    rejected         bigint NOT NULL DEFAULT 0,
    rejections       bigint NOT NULL DEFAULT 0,
    cancel_requested boolean NOT NULL DEFAULT false,
    failure          text,
    -- ended, and its chunks are gone
    closed           boolean NOT NULL DEFAULT false,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    finished_at      timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX import_job_by_kind ON import_job (tenant_id, kind, id);
CREATE INDEX import_job_open ON import_job (kind, updated_at) WHERE NOT closed;

CREATE INDEX import_job_rejections ON import_job (kind, finished_at) WHERE rejections > 0;

CREATE TABLE import_chunk (
    tenant_id text NOT NULL,
    import_id uuid NOT NULL,
    n         integer NOT NULL,
    bytes     bytea NOT NULL,
    PRIMARY KEY (tenant_id, import_id, n)
);
-- Chunks live for minutes; compressing them would cost more than it saves.
ALTER TABLE import_chunk ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE import_rejection (
    tenant_id  text NOT NULL,
    import_id  uuid NOT NULL,
    n          bigint NOT NULL,
    line       bigint NOT NULL,
    row_number bigint NOT NULL,
    column_name text NOT NULL,
    code       text NOT NULL,
    reason     text NOT NULL,
    -- the row as it stood in the file; with the first of its rejections only
    raw        bytea,
    PRIMARY KEY (tenant_id, import_id, n)
);

SELECT guanxi_tenant_table('import_job');
SELECT guanxi_tenant_table('import_chunk');
SELECT guanxi_tenant_table('import_rejection');

-- +goose StatementBegin
-- import_due lists open imports of all tenants on which nothing has happened for longer than their state explains. It
-- gives ids only; whoever calls it goes on under row level security, tenant by tenant.
CREATE FUNCTION import_due(p_kind text, p_uploading timestamptz, p_accepted timestamptz, p_running timestamptz, p_limit integer)
RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT j.tenant_id, j.id FROM import_job j
     WHERE j.kind = p_kind AND NOT j.closed
       AND j.updated_at < CASE j.state WHEN 'uploading' THEN p_uploading WHEN 'running' THEN p_running ELSE p_accepted END
     ORDER BY j.updated_at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- import_expired lists imports of all tenants that ended before p_before and whose rejected rows are still kept.
CREATE FUNCTION import_expired(p_kind text, p_before timestamptz, p_limit integer)
RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT j.tenant_id, j.id FROM import_job j
     WHERE j.kind = p_kind AND j.rejections > 0 AND j.finished_at < p_before
     ORDER BY j.finished_at LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE 'REVOKE EXECUTE ON FUNCTION import_due, import_expired FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION import_due, import_expired TO %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
