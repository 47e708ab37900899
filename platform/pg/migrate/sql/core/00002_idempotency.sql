-- What was answered to an Idempotency-Key within the last 24 hours: ids and codes only, no body.

-- +goose Up
CREATE TABLE idempotency (
    tenant_id   text NOT NULL,
    subject     text NOT NULL,
    operation   text NOT NULL,
    key         text NOT NULL,
    day         date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    body_hash   bytea NOT NULL,
    status      integer NOT NULL,
    resource_id uuid,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, subject, operation, key, day)
) PARTITION BY RANGE (day);

-- Takes what comes on a day for which no partition was made, so that nothing fails when the schedule stood still.
CREATE TABLE idempotency_default PARTITION OF idempotency DEFAULT;

SELECT guanxi_tenant_table('idempotency');
SELECT guanxi_tenant_table('idempotency_default');

-- +goose StatementBegin
-- idempotency_begin is sent in the first batch of a command. It raises what makes the rest of the batch, the commit
-- included, be skipped:
--   GX001  the key is in use by a transaction that has not ended
--   GX002  the key was used with this body; DETAIL is {"status": ..., "id": ...}
--   GX003  the key was used with another body
-- The lock is only tried: a plain insert would wait for the holder. Being VOLATILE, the look at the table after the
-- lock has a snapshot of its own and sees what the previous holder committed.
CREATE FUNCTION idempotency_begin(p_tenant text, p_subject text, p_operation text, p_key text, p_hash bytea)
RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    found_row record;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended(
        'idempotency' || chr(31) || p_tenant || chr(31) || p_subject || chr(31) || p_operation || chr(31) || p_key, 0)) THEN
        RAISE EXCEPTION 'idempotency key in flight' USING ERRCODE = 'GX001';
    END IF;
    SELECT i.body_hash, i.status, i.resource_id INTO found_row
      FROM idempotency i
     WHERE i.tenant_id = p_tenant AND i.subject = p_subject AND i.operation = p_operation AND i.key = p_key
       AND i.day >= (now() AT TIME ZONE 'UTC')::date - 1 AND i.created_at > now() - interval '24 hours'
     ORDER BY i.day DESC LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF found_row.body_hash <> p_hash THEN
        RAISE EXCEPTION 'idempotency key reused with another body' USING ERRCODE = 'GX003';
    END IF;
    RAISE EXCEPTION 'idempotency key seen' USING ERRCODE = 'GX002',
        DETAIL = json_build_object('status', found_row.status, 'id', found_row.resource_id)::text;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- idempotency_partitions makes the partitions of today and the days ahead, and drops those that have ended more than a
-- day ago; what the default partition holds of such days goes the same way. A schedule calls it as ops, some times a
-- day. It gives up quickly when it cannot have the locks.
CREATE FUNCTION idempotency_partitions(ahead integer DEFAULT 2) RETURNS TABLE (made integer, dropped integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' SET timezone = 'UTC' AS $$
DECLARE
    today date := current_date;
    part  text;
    d     date;
BEGIN
    made := 0;
    dropped := 0;
    PERFORM pg_advisory_xact_lock(hashtextextended('idempotency_partitions', 0));
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'idempotency'::regclass AND c.relname ~ '^idempotency_[0-9]{8}$'
           AND to_date(right(c.relname, 8), 'YYYYMMDD') < today - 1
    LOOP
        EXECUTE format('DROP TABLE %I', part);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM idempotency_default WHERE day < today - 1;
    FOR d IN SELECT generate_series(today, today + ahead, interval '1 day')::date LOOP
        part := 'idempotency_' || to_char(d, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(part) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE idempotency INCLUDING ALL)', part);
        LOCK TABLE idempotency_default IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('WITH moved AS (DELETE FROM idempotency_default WHERE day = %L RETURNING *)
                        INSERT INTO %I SELECT * FROM moved', d, part);
        EXECUTE format('ALTER TABLE idempotency ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part, d, d + 1);
        PERFORM guanxi_tenant_table(part::regclass);
        made := made + 1;
    END LOOP;
    RETURN NEXT;
END
$$;
-- +goose StatementEnd

SELECT idempotency_partitions(2);

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE 'REVOKE EXECUTE ON FUNCTION idempotency_partitions(integer) FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION idempotency_partitions(integer) TO %I', guanxi_role('ops'));
END
$$;
-- +goose StatementEnd
