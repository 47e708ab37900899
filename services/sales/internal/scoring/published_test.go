package scoring_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

func TestThePublishedCaseHasThePublishedScores(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	s := scoring.New(w.DB, time.Now)
	id := uuid.Must(uuid.NewV7())
	c := scoring.Case{ID: id, Team: "one", Pipeline: "standard", Stage: "new", Stages: []string{"new", "qualified"}, Fields: map[string]string{"source": "web"}, Tags: []string{"hot"}}
	err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		if err := s.Save(t.Context(), tx, c); err != nil {
			return err
		}
		if err := s.Won(t.Context(), tx, time.Now(), id); err != nil {
			return err
		}
		if err := s.Lost(t.Context(), tx, time.Now(), id); err != nil {
			return err
		}
		if err := s.Reopened(t.Context(), tx, time.Now(), id); err != nil {
			return err
		}
		of := scoring.Of(tx, []uuid.UUID{id})
		if err := tx.Flush(t.Context()); err != nil {
			return err
		}
		t.Log(of.Get(id))
		return s.Withdrawn(t.Context(), tx, time.Now(), id)
	})
	if err != nil {
		t.Fatal(err)
	}
}
