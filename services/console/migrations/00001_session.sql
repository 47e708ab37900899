-- +goose Up

-- A session is one browser in which somebody signed in. The browser has the tenant and a secret, whose hash is the id here; the
-- tokens are sealed with a key that the database does not have.
CREATE TABLE session (
    tenant_id    text        NOT NULL,
    id           bytea       NOT NULL CHECK (length(id) = 32),
    tokens       bytea       NOT NULL,
    access_until timestamptz NOT NULL, -- the access token holds until then
    created_at   timestamptz NOT NULL,
    used_at      timestamptz NOT NULL, -- within a minute
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX session_used ON session (tenant_id, used_at);
SELECT guanxi_tenant_table('session');
