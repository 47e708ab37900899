-- +goose Up

-- Qualifying points, by which members rise: kept apart from those that can be spent, and never changed. The key tells what
-- they are for, so that nothing counts twice.
CREATE TABLE tier_points (
    tenant_id   text        NOT NULL,
    key         text        NOT NULL,
    member_id   uuid        NOT NULL,
    points      bigint      NOT NULL CHECK (points <> 0), -- below zero: taken back
    counts_at   timestamptz NOT NULL, -- in whose period they count
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX tier_points_member ON tier_points (tenant_id, member_id, counts_at);
SELECT guanxi_tenant_table('tier_points');

-- What they add up to by day of the programme's zone: any period is some of its days, also one of other terms, and a member
-- has one row a day however much it buys. Kept under the lock of the member's row.
CREATE TABLE tier_day (
    tenant_id text   NOT NULL,
    member_id uuid   NOT NULL,
    day       date   NOT NULL,
    points    bigint NOT NULL,
    PRIMARY KEY (tenant_id, member_id, day)
) WITH (fillfactor = 80);
SELECT guanxi_tenant_table('tier_day');

-- Where members stand; one who has none has the lowest tier and nothing to fall from. Kept under the lock of the member's row.
CREATE TABLE tier_standing (
    tenant_id     text        NOT NULL,
    member_id     uuid        NOT NULL,
    programme     text        NOT NULL,
    version       integer     NOT NULL, -- of the terms that it was last judged by
    score         integer     NOT NULL DEFAULT 0, -- growth score
    base          text        NOT NULL, -- code of the level by merit; empty where the terms have no tiers
    base_rank     integer     NOT NULL, -- its place, for terms that have no level of the code any more
    level         text        NOT NULL, -- code of the tier: the base or a floor, whichever is higher
    since         timestamptz NOT NULL, -- of the level
    review_at     timestamptz,          -- end of the period after which the base is reviewed; none for the lowest
    manual        text        NOT NULL DEFAULT '', -- floor that a person set
    manual_until  timestamptz,
    manual_reason text        NOT NULL DEFAULT '',
    paid          text        NOT NULL DEFAULT '', -- floor that was paid for
    paid_until    timestamptz,
    warned_for    timestamptz,          -- the fall that was told of
    due_at        timestamptz,          -- when the next look is due; none: never
    decisions     integer     NOT NULL DEFAULT 0, -- number of the latest
    PRIMARY KEY (tenant_id, member_id)
) WITH (fillfactor = 80);
CREATE INDEX tier_standing_due ON tier_standing (due_at, tenant_id, member_id) WHERE due_at IS NOT NULL;
CREATE INDEX tier_standing_level ON tier_standing (tenant_id, programme, level, member_id);
SELECT guanxi_tenant_table('tier_standing');

-- What was decided about a member's tier, never changed. A review decides once about a member and the period that ended.
CREATE TABLE tier_decision (
    tenant_id   text        NOT NULL,
    member_id   uuid        NOT NULL,
    no          integer     NOT NULL CHECK (no > 0),
    programme   text        NOT NULL,
    reason      text        NOT NULL CHECK (reason IN ('earned', 'review', 'manual', 'floor_ended', 'programme_changed', 'paid', 'returned')),
    from_level  text        NOT NULL, -- empty: none
    level       text        NOT NULL,
    rank        integer     NOT NULL,
    qualifying  bigint      NOT NULL, -- points, or growth score, that it was decided by
    review_at   timestamptz,          -- of a review: the end of the period
    valid_until timestamptz,          -- until when the tier is kept at least
    note        text        NOT NULL DEFAULT '', -- code: why a person set it
    by_subject  text        NOT NULL,
    decided_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, member_id, no),
    CONSTRAINT tier_decision_review UNIQUE (tenant_id, member_id, review_at)
);
CREATE INDEX tier_decision_moves ON tier_decision (tenant_id, programme, decided_at) WHERE from_level <> level;
SELECT guanxi_tenant_table('tier_decision');

-- Versions of programmes by which everybody was judged.
CREATE TABLE tier_version (
    tenant_id text        NOT NULL,
    programme text        NOT NULL,
    version   integer     NOT NULL,
    done_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, programme, version)
);
SELECT guanxi_tenant_table('tier_version');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE ON tier_points, tier_decision FROM %I', guanxi_role('app'));
    EXECUTE format('REVOKE DELETE ON tier_day, tier_standing, tier_version FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
