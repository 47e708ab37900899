-- +goose Up

-- As before, by sets instead of row by row: a fifth of the time for as many customers.

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION customer_search_walk(p_all tsquery, p_exact tsquery, p_low text, p_high text, p_tier integer, p_name text,
    p_id uuid, p_limit integer, p_scan integer)
RETURNS TABLE (customer_id uuid, name_key text, hit boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    tenant text := current_setting('app.tenant_id', true);
    hits integer;
BEGIN
    IF p_tier = 0 THEN
        RETURN QUERY SELECT w.customer_id, w.name_key, true FROM (
            SELECT s.customer_id, s.name_key, s.terms FROM customer_search s
             WHERE s.tenant_id = tenant AND (s.name_key, s.customer_id) > (p_name, p_id) AND s.name_key < p_high
             ORDER BY s.name_key, s.customer_id LIMIT p_scan) w
         WHERE w.terms @@ p_all LIMIT p_limit;
    ELSE
        RETURN QUERY SELECT w.customer_id, w.name_key, true FROM (
            SELECT s.customer_id, s.name_key, s.terms FROM customer_search s
             WHERE s.tenant_id = tenant AND s.customer_id < p_id ORDER BY s.customer_id DESC LIMIT p_scan) w
         WHERE w.terms @@ p_all AND NOT (w.name_key >= p_low AND w.name_key < p_high) AND w.terms @@ p_exact = (p_tier = 1)
         LIMIT p_limit;
    END IF;
    GET DIAGNOSTICS hits = ROW_COUNT;
    IF hits >= p_limit THEN
        RETURN;
    END IF;
    -- The last one who was looked at; nobody, where the end came before.
    IF p_tier = 0 THEN
        RETURN QUERY SELECT s.customer_id, s.name_key, false FROM customer_search s
             WHERE s.tenant_id = tenant AND (s.name_key, s.customer_id) > (p_name, p_id) AND s.name_key < p_high
             ORDER BY s.name_key, s.customer_id OFFSET p_scan - 1 LIMIT 1;
    ELSE
        RETURN QUERY SELECT s.customer_id, s.name_key, false FROM customer_search s
             WHERE s.tenant_id = tenant AND s.customer_id < p_id ORDER BY s.customer_id DESC OFFSET p_scan - 1 LIMIT 1;
    END IF;
END
$$;
-- +goose StatementEnd
