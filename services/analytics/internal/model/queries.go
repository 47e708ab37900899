package model

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Get gives a model of the caller's tenant.
func (m *Models) Get(ctx context.Context, id uuid.UUID) (found Model, err error) {
	err = m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = Find(ctx, tx, id)
		return err
	})
	return found, err
}

// List gives up to limit models before the given id, the newest first, of the kind unless that is empty.
func (m *Models) List(ctx context.Context, kind string, inUse bool, before uuid.UUID, limit int) (found []Model, err error) {
	err = m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = list(ctx, tx, kind, inUse, before, limit)
		return err
	})
	return found, err
}

// Predictions gives up to limit rows of what the model says, from the row first, counted from 0, and how many there are.
func (m *Models) Predictions(ctx context.Context, id uuid.UUID, first, limit int) (rows []json.RawMessage, total int64, err error) {
	err = m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, err := Find(ctx, tx, id)
		if err != nil {
			return err
		}
		total = found.Predicted
		rows, err = predictions(ctx, tx, id, first, limit)
		return err
	})
	return rows, total, err
}

// Job gives a job of the caller's tenant.
func (m *Models) Job(ctx context.Context, id uuid.UUID) (j Job, err error) {
	err = m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		j, err = findJob(ctx, tx, id)
		return err
	})
	return j, err
}

// Jobs gives up to limit jobs before the given id, the newest first.
func (m *Models) Jobs(ctx context.Context, before uuid.UUID, limit int) (found []Job, err error) {
	err = m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = listJobs(ctx, tx, before, limit)
		return err
	})
	return found, err
}

// large tells whether the tenant has too many orders for a fit within a request.
func (m *Models) large(ctx context.Context) (large bool, err error) {
	err = m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		large, err = manyOrders(ctx, tx, smallOrders)
		return err
	})
	return large, err
}
