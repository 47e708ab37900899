-- +goose Up

-- Members are listed by programme, and those who are not active by their state. None of the columns changes when points are
-- booked, so that a member's row stays where it is.
CREATE INDEX member_programme ON member (tenant_id, programme, id);
CREATE INDEX member_state ON member (tenant_id, state, id) WHERE state <> 'active';

-- Cards that were replaced. Whoever shows one is found, and is told that it is blocked.
CREATE TABLE member_card_blocked (
    tenant_id   text        NOT NULL,
    card_number text        NOT NULL,
    member_id   uuid        NOT NULL,
    reason      text        NOT NULL, -- code
    blocked_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, card_number)
);
CREATE INDEX member_card_blocked_member ON member_card_blocked (tenant_id, member_id);
SELECT guanxi_tenant_table('member_card_blocked');

-- Memberships that are paid for, as they stand. They stay with the member who bought them, also when customers are merged.
CREATE TABLE membership (
    tenant_id   text        NOT NULL,
    id          uuid        NOT NULL,
    member_id   uuid        NOT NULL,
    plan        text        NOT NULL,
    tier        text        NOT NULL, -- that the member has at least while it lasts; empty: none
    benefits    text[]      NOT NULL, -- codes
    state       text        NOT NULL CHECK (state IN ('active', 'ended')),
    term        integer     NOT NULL CHECK (term > 0), -- the latest that was paid for
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL, -- of the latest term
    over_at     timestamptz NOT NULL, -- the end of its grace time: until then it can be renewed, and goes on
    remind_at   timestamptz,          -- when it is to be told that it ends; none: never, or it was told
    ended_at    timestamptz,
    end_reason  text        NOT NULL DEFAULT '', -- expired, cancelled, member_left or customer_erased
    end_code    text        NOT NULL DEFAULT '', -- why it was cancelled, by a code of whoever did
    refund_minor bigint     NOT NULL DEFAULT 0 CHECK (refund_minor >= 0),
    PRIMARY KEY (tenant_id, id),
    CHECK ((state = 'ended') = (ended_at IS NOT NULL))
);
CREATE UNIQUE INDEX membership_running ON membership (tenant_id, member_id) WHERE state = 'active';
CREATE INDEX membership_member ON membership (tenant_id, member_id, id);
CREATE INDEX membership_remind ON membership (remind_at) WHERE remind_at IS NOT NULL AND state = 'active';
CREATE INDEX membership_over ON membership (over_at) WHERE state = 'active';
SELECT guanxi_tenant_table('membership');

-- The terms of a membership, each by the plan as it was when it was paid for.
CREATE TABLE membership_term (
    tenant_id     text        NOT NULL,
    membership_id uuid        NOT NULL,
    no            integer     NOT NULL CHECK (no > 0),
    programme     text        NOT NULL,
    plan          text        NOT NULL,
    payment       text,                -- reference of the payment at whoever sells; none where the customer was erased
    currency      text        NOT NULL,
    fee_minor     bigint      NOT NULL CHECK (fee_minor >= 0),
    months        integer     NOT NULL CHECK (months > 0),
    renewable     boolean     NOT NULL,
    first_day     date        NOT NULL, -- in the programme's zone, as is end_day
    end_day       date        NOT NULL, -- the first day that it does not cover any more
    ends_at       timestamptz NOT NULL, -- when end_day begins
    over_at       timestamptz NOT NULL, -- ends_at and the grace time
    paid_at       timestamptz NOT NULL, -- when the payment was told
    cut_at        timestamptz,          -- when it was cut short: by a cancellation, by leaving, by an erasure
    PRIMARY KEY (tenant_id, membership_id, no),
    CONSTRAINT membership_payment UNIQUE (tenant_id, payment),
    CHECK (end_day > first_day)
);
CREATE INDEX membership_term_due ON membership_term (tenant_id, end_day);
SELECT guanxi_tenant_table('membership_term');

-- Points that are to be taken of those who left, unless they come back before.
CREATE TABLE leaving (
    tenant_id  text        NOT NULL,
    member_id  uuid        NOT NULL,
    left_at    timestamptz NOT NULL,
    forfeit_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, member_id)
);
CREATE INDEX leaving_due ON leaving (forfeit_at);
SELECT guanxi_tenant_table('leaving');

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE DELETE ON membership, membership_term FROM %I', guanxi_role('app'));
END
$$;
-- +goose StatementEnd
