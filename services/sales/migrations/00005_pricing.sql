-- +goose Up

CREATE TABLE price_rule (
    tenant_id          text        NOT NULL,
    code               text        NOT NULL COLLATE "C",
    name               text        NOT NULL,
    position           integer     NOT NULL,
    scope              text        NOT NULL CHECK (scope IN ('line', 'basket')),
    condition          text        NOT NULL, -- CEL; empty: always
    percent_hundredths integer     CHECK (percent_hundredths BETWEEN 1 AND 10000),
    amount_minor       bigint      CHECK (amount_minor > 0),
    currency           text        CHECK (currency ~ '^[A-Z]{3}$'), -- of amount_minor
    valid_from         timestamptz,
    valid_to           timestamptz, -- exclusive
    exclusive          boolean     NOT NULL,
    archived           boolean     NOT NULL,
    version            bigint      NOT NULL,
    by_subject         text        NOT NULL,
    changed_at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, code),
    CHECK ((percent_hundredths IS NULL) <> (amount_minor IS NULL)),
    CHECK ((amount_minor IS NULL) = (currency IS NULL)),
    CHECK (valid_from < valid_to)
);
CREATE INDEX price_rule_order ON price_rule (tenant_id, position, code) WHERE NOT archived;
SELECT guanxi_tenant_table('price_rule');

-- What was told to customers of a benefit, and from when on: never changed, since somebody may ask what held on a day.
CREATE TABLE benefit_version (
    tenant_id      text        NOT NULL,
    code           text        NOT NULL COLLATE "C",
    version        bigint      NOT NULL,
    text_en        text        NOT NULL,
    text_zh        text        NOT NULL,
    tiers          text[]      NOT NULL,
    published_from timestamptz NOT NULL,
    withdrawn      boolean     NOT NULL,
    by_subject     text        NOT NULL,
    at             timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, code, version)
);
SELECT guanxi_tenant_table('benefit_version');
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON benefit_version FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd

-- Which tier customers have, as loyalty tells. Only to find out which published benefits are theirs: no rule can read it.
CREATE TABLE customer_tier (
    tenant_id   text        NOT NULL,
    customer_id uuid        NOT NULL,
    tier        text        NOT NULL COLLATE "C",
    told_at     timestamptz NOT NULL, -- when the customer got it, as loyalty tells: what is told later wins
    PRIMARY KEY (tenant_id, customer_id)
);
CREATE INDEX customer_tier_codes ON customer_tier (tenant_id, tier);
SELECT guanxi_tenant_table('customer_tier');
