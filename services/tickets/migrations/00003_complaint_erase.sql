-- +goose Up

-- +goose StatementBegin
-- complaint_erase_notes empties what was said about complaints of the customers, of the tenant that is set, and gives how
-- many notes that were. Nothing else changes a note. Those who wrote them, and when, stay.
CREATE FUNCTION complaint_erase_notes(p_customers uuid[]) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH emptied AS (
        UPDATE complaint_note n SET words = '' FROM complaint c
         WHERE c.tenant_id = current_setting('app.tenant_id', true) AND c.customer_id = ANY (p_customers)
           AND n.tenant_id = c.tenant_id AND n.complaint_id = c.id AND n.words <> ''
        RETURNING 1
    )
    SELECT count(*) FROM emptied
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE 'REVOKE EXECUTE ON FUNCTION complaint_erase_notes(uuid[]) FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION complaint_erase_notes(uuid[]) TO %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
