-- +goose Up

-- Categories are a tree; path holds the codes from the root to the category itself, so that nobody has to climb it.
CREATE TABLE product_category (
    tenant_id  text        NOT NULL,
    code       text        NOT NULL COLLATE "C",
    name       text        NOT NULL,
    parent     text        COLLATE "C",
    path       text[]      NOT NULL,
    archived   boolean     NOT NULL,
    version    bigint      NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, code),
    FOREIGN KEY (tenant_id, parent) REFERENCES product_category (tenant_id, code)
);
SELECT guanxi_tenant_table('product_category');

CREATE TABLE product (
    tenant_id  text        NOT NULL,
    sku        text        NOT NULL COLLATE "C",
    name       text        NOT NULL,
    folded     text        NOT NULL COLLATE "C", -- of the name, as it is looked for: by its beginning
    category   text        COLLATE "C",
    unit       text        NOT NULL,
    tax_code   text        NOT NULL, -- a label: nothing is reckoned by it
    archived   boolean     NOT NULL,
    version    bigint      NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, sku),
    FOREIGN KEY (tenant_id, category) REFERENCES product_category (tenant_id, code)
);
CREATE INDEX product_folded ON product (tenant_id, folded, sku);
CREATE INDEX product_of_category ON product (tenant_id, category, sku) WHERE category IS NOT NULL;
SELECT guanxi_tenant_table('product');

CREATE TABLE price_list (
    tenant_id  text        NOT NULL,
    code       text        NOT NULL COLLATE "C",
    name       text        NOT NULL,
    currency   text        NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    valid_from timestamptz, -- none: ever since
    valid_to   timestamptz, -- exclusive; none: for ever
    archived   boolean     NOT NULL,
    version    bigint      NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, code),
    CHECK (valid_from < valid_to)
);
SELECT guanxi_tenant_table('price_list');

-- What one unit costs, and from which quantities on it costs something else: two arrays beside each other, by quantity.
CREATE TABLE price (
    tenant_id       text        NOT NULL,
    price_list      text        NOT NULL COLLATE "C",
    sku             text        NOT NULL COLLATE "C",
    unit_minor      bigint      NOT NULL CHECK (unit_minor >= 0),
    tier_quantities bigint[]    NOT NULL,
    tier_minors     bigint[]    NOT NULL,
    version         bigint      NOT NULL,
    changed_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, price_list, sku),
    CHECK (cardinality(tier_quantities) = cardinality(tier_minors)),
    FOREIGN KEY (tenant_id, price_list) REFERENCES price_list (tenant_id, code),
    FOREIGN KEY (tenant_id, sku) REFERENCES product (tenant_id, sku)
);
SELECT guanxi_tenant_table('price');

-- What a batch that came with an Idempotency-Key was answered, for as long as the key is remembered.
CREATE TABLE catalogue_batch (
    tenant_id text        NOT NULL,
    id        uuid        NOT NULL,
    answer    jsonb       NOT NULL,
    made_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX catalogue_batch_made ON catalogue_batch (tenant_id, made_at);
SELECT guanxi_tenant_table('catalogue_batch');
