-- +goose Up

-- Why a pair of an automatic rule waits for people although the rule says that the two are one: a code; empty: nobody looked
-- yet since the pair was found last. Pairs that were found before anything merged by itself wait.
ALTER TABLE duplicate_pair ADD COLUMN left_because text NOT NULL DEFAULT '';
UPDATE duplicate_pair SET left_because = 'found_before' WHERE state = 'open' AND result = 'automatic';
CREATE INDEX duplicate_pair_automatic ON duplicate_pair (id) WHERE state = 'open' AND result = 'automatic' AND left_because = '';

-- +goose StatementBegin
-- duplicate_automatic lists pairs of all tenants that may write whose two customers an automatic rule says to be one, the
-- longest waiting first, behind p_after. It gives ids only; whoever calls it goes on under row level security, tenant by tenant.
CREATE FUNCTION duplicate_automatic(p_after uuid, p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT p.tenant_id, p.id FROM duplicate_pair p
     WHERE p.state = 'open' AND p.result = 'automatic' AND p.left_because = '' AND p.id > p_after
       AND EXISTS (SELECT FROM tenant t WHERE t.tenant_id = p.tenant_id AND t.state = 'active')
     ORDER BY p.id LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- erasure_quiet lists erasures of all tenants that are to go on and that nothing was heard of since p_before, by id, behind
-- p_after: their process may have been ended by hand, or lost. It gives ids only, as above.
CREATE FUNCTION erasure_quiet(p_before timestamptz, p_after uuid, p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.tenant_id, e.id FROM erasure e
     WHERE e.state IN ('requested', 'held', 'erasing') AND e.changed_at < p_before AND e.id > p_after
     ORDER BY e.id LIMIT p_limit
$$;
-- +goose StatementEnd
CREATE INDEX erasure_quiet ON erasure (id) WHERE state IN ('requested', 'held', 'erasing');

-- +goose StatementBegin
DO $$
DECLARE
    f text;
BEGIN
    FOREACH f IN ARRAY ARRAY ['duplicate_automatic(uuid, integer)', 'erasure_quiet(timestamptz, uuid, integer)'] LOOP
        EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || f || ' FROM PUBLIC';
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', f, guanxi_role('app'));
    END LOOP;
END
$$;
-- +goose StatementEnd
