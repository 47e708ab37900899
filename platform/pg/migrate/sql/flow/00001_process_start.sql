-- Processes that an event calls for: written in the transaction that applies the event, started after it.

-- +goose Up
CREATE TABLE process_start (
    tenant_id   text NOT NULL,
    workflow_id text NOT NULL,
    queue       text NOT NULL,
    workflow    text NOT NULL,
    args        jsonb NOT NULL,
    search      jsonb NOT NULL,
    -- on whose behalf, and in whose trace, the process runs
    subject     text NOT NULL,
    unit        text NOT NULL,
    roles       text[] NOT NULL,
    trace       jsonb NOT NULL,
    attempts    integer NOT NULL DEFAULT 0,
    not_before  timestamptz NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, workflow_id)
);
CREATE INDEX process_start_due ON process_start (not_before);
SELECT guanxi_tenant_table('process_start');

-- +goose StatementBegin
-- process_start_lease gives what is due of all tenants, the oldest first, and puts it off, so that other processes leave
-- it alone meanwhile: for 5 s at first, for longer the more often it failed. Whoever has started a process deletes its row
-- under the row's tenant.
CREATE FUNCTION process_start_lease(p_limit integer) RETURNS SETOF process_start
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE process_start s
       SET attempts = s.attempts + 1, not_before = clock_timestamp() + interval '5 seconds' * least(power(2, s.attempts), 12)
      FROM (SELECT tenant_id, workflow_id FROM process_start WHERE not_before <= clock_timestamp()
             ORDER BY not_before LIMIT p_limit FOR UPDATE SKIP LOCKED) d
     WHERE s.tenant_id = d.tenant_id AND s.workflow_id = d.workflow_id
 RETURNING s.*
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE 'REVOKE EXECUTE ON FUNCTION process_start_lease(integer) FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION process_start_lease(integer) TO %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
