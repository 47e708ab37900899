package session

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/singleflight"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Store keeps sessions.
type Store struct {
	db             *pg.DB
	sealer         *Sealer
	idle, absolute time.Duration
	renew          Renew
	clock          func() time.Time
	renewing       singleflight.Group
}

// Renew asks the issuer for new tokens by those that run out. ErrNone says that the issuer gives no more.
type Renew func(ctx context.Context, old Tokens) (Tokens, error)

// NewStore makes a store; sessions end idle after their last and absolute after their first request.
func NewStore(db *pg.DB, sealer *Sealer, idle, absolute time.Duration, renew Renew, clock func() time.Time) *Store {
	return &Store{db: db, sealer: sealer, idle: idle, absolute: absolute, renew: renew, clock: clock}
}

func (s *Store) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// Begin begins a session and gives the value of its cookie. Sessions of the tenant that are over are swept out with it.
func (s *Store) Begin(ctx context.Context, tenant string, tokens Tokens) (cookie string, err error) {
	cookie, id := newCookie(tenant)
	sealed, err := s.sealer.Seal(tokens, id[:])
	if err != nil {
		return "", err
	}
	now := s.now()
	return cookie, s.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
		tx.Queue(`DELETE FROM session WHERE tenant_id = $1 AND (used_at < $2 OR created_at < $3)`, tenant, now.Add(-s.idle), now.Add(-s.absolute))
		tx.Queue(`INSERT INTO session (tenant_id, id, tokens, access_until, created_at, used_at) VALUES ($1, $2, $3, $4, $5, $5)`,
			tenant, id[:], sealed, tokens.Until.UTC().Truncate(time.Microsecond), now)
		return nil
	})
}

// Find gives the session of a cookie, with an access token that holds. ErrNone: there is none, or no longer.
func (s *Store) Find(ctx context.Context, cookie string) (Session, error) {
	tenant, id, ok := parseCookie(cookie)
	if !ok {
		return Session{}, ErrNone
	}
	found, err := s.read(ctx, tenant, id)
	if err != nil {
		return Session{}, err
	}
	now := s.now()
	if now.Sub(found.usedAt) >= touchEvery {
		if err := s.touch(ctx, found, now); err != nil {
			return Session{}, err
		}
	}
	if now.Add(refreshAhead).Before(found.Tokens.Until) {
		return found, nil
	}
	return s.renewed(ctx, found)
}

// End ends the session of a cookie, if there is one.
func (s *Store) End(ctx context.Context, cookie string) error {
	tenant, id, ok := parseCookie(cookie)
	if !ok {
		return nil
	}
	return s.end(ctx, tenant, id)
}

func (s *Store) end(ctx context.Context, tenant string, id [32]byte) error {
	return s.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
		tx.Queue(`DELETE FROM session WHERE tenant_id = $1 AND id = $2`, tenant, id[:])
		return nil
	})
}

// read gives the session while it is within both time-outs.
func (s *Store) read(ctx context.Context, tenant string, id [32]byte) (Session, error) {
	found := Session{Tenant: tenant, id: id}
	var sealed []byte
	var until time.Time
	err := s.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		return tx.QueryRow(ctx, `SELECT tokens, access_until, created_at, used_at FROM session WHERE tenant_id = $1 AND id = $2`, tenant, id[:]).
			Scan(&sealed, &until, &found.createdAt, &found.usedAt)
	})
	now := s.now()
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Session{}, ErrNone
	case err != nil:
		return Session{}, err
	case now.Sub(found.usedAt) >= s.idle || now.Sub(found.createdAt) >= s.absolute:
		return Session{}, ErrNone
	case s.sealer.Open(sealed, id[:], &found.Tokens) != nil:
		return Session{}, ErrNone // the key has changed since
	}
	found.Tokens.Until = until
	return found, nil
}

func (s *Store) touch(ctx context.Context, of Session, now time.Time) error {
	return s.db.Tx(ctx, of.Tenant, func(tx *pg.Tx) error {
		tx.Queue(`UPDATE session SET used_at = greatest(used_at, $3) WHERE tenant_id = $1 AND id = $2`, of.Tenant, of.id[:], now)
		return nil
	})
}

// renewed replaces the tokens. The issuer is asked outside of a transaction and may give new ones only once for the old: so
// requests of one process wait for each other, and a process that comes second takes what the first has stored.
func (s *Store) renewed(ctx context.Context, old Session) (Session, error) {
	got, err, _ := s.renewing.Do(old.Tenant+string(old.id[:]), func() (any, error) {
		ctx := context.WithoutCancel(ctx) // others wait for it as well
		tokens, err := s.renew(ctx, old.Tokens)
		if err == nil {
			err = s.replace(ctx, old, tokens)
		}
		if err == nil {
			old.Tokens = tokens
			return old, nil
		}
		if !errors.Is(err, ErrNone) {
			return Session{}, err
		}
		now, readErr := s.read(ctx, old.Tenant, old.id)
		if readErr == nil && now.Tokens.Access != old.Tokens.Access {
			return now, nil
		}
		return Session{}, errors.Join(ErrNone, s.end(ctx, old.Tenant, old.id))
	})
	if err != nil {
		return Session{}, err
	}
	return got.(Session), nil
}

func (s *Store) replace(ctx context.Context, of Session, tokens Tokens) error {
	sealed, err := s.sealer.Seal(tokens, of.id[:])
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, of.Tenant, func(tx *pg.Tx) error {
		tx.Queue(`UPDATE session SET tokens = $3, access_until = $4 WHERE tenant_id = $1 AND id = $2`,
			of.Tenant, of.id[:], sealed, tokens.Until.UTC().Truncate(time.Microsecond))
		return nil
	})
}
