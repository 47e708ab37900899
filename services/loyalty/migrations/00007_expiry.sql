-- +goose Up

-- What runs out at one time stands together, tenant by tenant and member by member: so it is gone through page by page.
DROP INDEX lot_expiring;
CREATE INDEX lot_expiring ON lot (expires_at, tenant_id, member_id) WHERE remaining > 0 AND expires_at IS NOT NULL;

-- Members who were told that points of theirs will run out at a time: once for each.
CREATE TABLE expiry_warning (
    tenant_id  text        NOT NULL,
    member_id  uuid        NOT NULL,
    expires_at timestamptz NOT NULL,
    points     bigint      NOT NULL CHECK (points > 0), -- as things stood then
    told_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, member_id, expires_at)
);
SELECT guanxi_tenant_table('expiry_warning');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON expiry_warning FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
