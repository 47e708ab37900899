-- +goose Up

-- Business calendars: time zone, weekly hours, and what is otherwise in single years.
CREATE TABLE calendar (
    tenant_id  text        NOT NULL,
    id         uuid        NOT NULL, -- UUIDv7
    version    bigint      NOT NULL, -- rises with every change
    name       text        NOT NULL,
    zone       text        NOT NULL, -- IANA name
    hours      jsonb       NOT NULL, -- weekly hours, and holidays and exceptional openings by year
    archived   boolean     NOT NULL, -- nothing new may name it
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX calendar_by_name ON calendar (tenant_id, name);
SELECT guanxi_tenant_table('calendar');

-- What a calendar was in each version: deadlines of closed tickets came about by one of these; append-only.
CREATE TABLE calendar_version (
    tenant_id   text        NOT NULL,
    calendar_id uuid        NOT NULL,
    version     bigint      NOT NULL,
    zone        text        NOT NULL,
    hours       jsonb       NOT NULL,
    by_subject  text        NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, calendar_id, version),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendar (tenant_id, id)
);
SELECT guanxi_tenant_table('calendar_version');

-- The calendar of policies that name none. Without a row that is: always open.
CREATE TABLE calendar_default (
    tenant_id   text NOT NULL PRIMARY KEY,
    calendar_id uuid NOT NULL,
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendar (tenant_id, id)
);
SELECT guanxi_tenant_table('calendar_default');

-- Changes after which deadlines of open tickets have to be reckoned anew, written with the change itself.
CREATE TABLE calendar_change (
    tenant_id   text        NOT NULL,
    id          uuid        NOT NULL, -- UUIDv7
    calendar_id uuid        NOT NULL, -- tickets measured by it
    version     bigint      NOT NULL, -- of the calendar after the change
    is_default  boolean     NOT NULL, -- and tickets whose policy names no calendar
    changed_at  timestamptz NOT NULL,
    done_at     timestamptz,          -- when somebody took that on
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendar (tenant_id, id)
);
CREATE INDEX calendar_change_pending ON calendar_change (id) WHERE done_at IS NULL;
SELECT guanxi_tenant_table('calendar_change');

-- +goose StatementBegin
-- calendar_change_pending lists changes of all tenants that nobody took on, the oldest first. It gives ids only; whoever
-- calls it goes on under row level security, tenant by tenant.
CREATE FUNCTION calendar_change_pending(p_limit integer) RETURNS TABLE (tenant_id text, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.tenant_id, c.id FROM calendar_change c WHERE c.done_at IS NULL ORDER BY c.id LIMIT p_limit
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON calendar_version FROM %I', guanxi_role('app'));
    EXECUTE 'REVOKE EXECUTE ON FUNCTION calendar_change_pending(integer) FROM PUBLIC';
    EXECUTE format('GRANT EXECUTE ON FUNCTION calendar_change_pending(integer) TO %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
