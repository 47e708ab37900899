package customerexport_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customerexport"
)

// workshop has exports whose workflows nobody runs: the test does each step.
type workshop struct {
	*accountstest.World
	exports *customerexport.Exports
	flow    *flowtest.Frontend
	now     time.Time
	token   string
	ctx     context.Context //nolint:containedctx // of the one who orders, for the length of a test
}

func newWorkshop(t *testing.T, customers int) *workshop {
	t.Helper()
	s := &workshop{World: accountstest.Start(t), flow: flowtest.NewFrontend(t), now: time.Now()}
	clock := func() time.Time { return s.now }
	s.exports = customerexport.New(s.DB, s.Database.DB(pg.Ops), access.NewLog(s.DB, clock), s.flow.Client(), "accounts", clock)
	s.token = s.Token(auth.RoleIntegrator, "pizza")
	s.ctx = auth.With(t.Context(), auth.Principal{Subject: "ann", Tenant: "pizza", Roles: []string{auth.RoleIntegrator}})
	var file strings.Builder
	file.WriteString("external:shop\n")
	for n := range customers {
		fmt.Fprintf(&file, "%05d\n", n)
	}
	bring(t, s.World, s.token, "csv", file.String())
	return s
}

func (s *workshop) order(t *testing.T) uuid.UUID {
	t.Helper()
	sight, err := access.For(s.ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	s.now = time.Now()
	e, err := s.exports.Start(s.ctx, customerexport.Order{Format: customerexport.CSV, Columns: []string{"external:shop"}}, sight, "")
	if err != nil {
		t.Fatal(err)
	}
	return e.ID
}

// batch writes the next batch.
func (s *workshop) batch(t *testing.T, id uuid.UUID) (complete bool) {
	t.Helper()
	complete, err := s.exports.WriteBatch(s.ctx, id)
	if err != nil {
		t.Error(err)
	}
	return complete
}

func (s *workshop) end(t *testing.T, id uuid.UUID, state customerexport.State) customerexport.State {
	t.Helper()
	got, err := s.exports.End(s.ctx, id, state)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// rows gives the shop ids in the file, sorted.
func (s *workshop) rows(id uuid.UUID) []string {
	answer := s.Want(http.StatusOK, http.MethodGet, path+"/"+id.String()+"/file", s.token, nil, nil)
	lines := strings.Split(strings.TrimSpace(string(answer.Body)), "\n")
	return slices.Sorted(slices.Values(lines[1:]))
}

func TestWhoeverIsKilledOrWorksTwiceTheFileHasEverybodyOnce(t *testing.T) {
	t.Parallel()
	const customers = 3500
	s := newWorkshop(t, customers)
	id := s.order(t)
	cancelled, cancel := context.WithCancel(s.ctx)
	cancel()
	if _, err := s.exports.WriteBatch(cancelled, id); err == nil {
		t.Fatal("a worker that was killed wrote a batch")
	}
	if got := s.end(t, id, customerexport.Finished); got != customerexport.Accepted {
		t.Fatalf("an export of which nothing was written is %s", got)
	}
	var workers sync.WaitGroup
	for range 3 {
		workers.Go(func() {
			for range 2 {
				s.batch(t, id)
			}
		})
	}
	workers.Wait()
	if !s.batch(t, id) {
		t.Fatal("somebody is left after seven batches of 1,000")
	}
	if got := s.end(t, id, customerexport.Finished); got != customerexport.Finished {
		t.Fatalf("got %s", got)
	}
	if got := s.rows(id); len(got) != customers || len(slices.Compact(got)) != customers {
		t.Fatalf("%d rows, want %d different ones", len(got), customers)
	}
	s.batch(t, id)
	if got := s.end(t, id, customerexport.Cancelled); got != customerexport.Finished || len(s.rows(id)) != customers {
		t.Fatalf("what had ended was changed: %s", got)
	}
}

func TestAnErasureBeginsARunningExportAnew(t *testing.T) {
	t.Parallel()
	s := newWorkshop(t, 1500)
	id := s.order(t)
	s.batch(t, id) // the first thousand
	var first, last uuid.UUID
	if err := s.DB.Read(t.Context(), "pizza", func(tx *pg.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT (SELECT customer_id FROM customer_identity WHERE value = '00000'),
			(SELECT customer_id FROM customer_identity WHERE value = '01499')`).Scan(&first, &last)
	}); err != nil {
		t.Fatal(err)
	}
	erase := func(customer uuid.UUID, value string) (got map[string]int64) {
		if err := s.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) (err error) {
			tx.Queue(`DELETE FROM customer_identity WHERE tenant_id = 'pizza' AND value = $1`, value)
			tx.Queue(`UPDATE customer SET state = 'erased' WHERE tenant_id = 'pizza' AND id = $1`, customer)
			got, err = customerexport.Erase(t.Context(), tx, []uuid.UUID{customer}, s.now)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := erase(last, "01499"); got["exports_restarted"] != 0 {
		t.Fatalf("begun anew for somebody whom it had not reached: %v", got)
	}
	if got := erase(first, "00000"); got["exports_restarted"] != 1 {
		t.Fatalf("%v", got)
	}
	if n := s.Count(`SELECT count(*) FROM customer_export_chunk`); n != 0 {
		t.Fatalf("%d chunks are left", n)
	}
	s.batch(t, id)
	if got := s.end(t, id, customerexport.Finished); got != customerexport.Running {
		t.Fatalf("half a file is %s", got)
	}
	for !s.batch(t, id) {
	}
	s.end(t, id, customerexport.Finished)
	if got := s.rows(id); len(got) != 1498 || got[0] != "00001" || got[1497] != "01498" {
		t.Fatalf("%d rows from %s to %s", len(got), got[0], got[len(got)-1])
	}
}

func TestACancelledExportLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newWorkshop(t, 1500)
	id := s.order(t)
	s.batch(t, id)
	s.Want(http.StatusAccepted, http.MethodPost, path+"/"+id.String()+"/cancel", s.token, nil, nil)
	s.batch(t, id)
	if n := s.Count(`SELECT count(*) FROM customer_export_chunk`); n != 1 {
		t.Fatalf("%d chunks: it went on", n)
	}
	if got := s.end(t, id, customerexport.Cancelled); got != customerexport.Cancelled {
		t.Fatalf("got %s", got)
	}
	if n := s.Count(`SELECT count(*) FROM customer_export_chunk`); n != 0 {
		t.Fatalf("%d chunks are left", n)
	}
	if code := s.Want(http.StatusConflict, http.MethodGet, path+"/"+id.String()+"/file", s.token, nil, nil).Code(); code != "export_not_finished" {
		t.Fatalf("got %s", code)
	}
	s.Want(http.StatusAccepted, http.MethodPost, path+"/"+id.String()+"/cancel", s.token, nil, nil) // again changes nothing
}

func TestFilesExpireAndWhatWasLeftBehindIsStarted(t *testing.T) {
	t.Parallel()
	s := newWorkshop(t, 3)
	id := s.order(t)
	if started := s.flow.Started(); len(started) != 1 || started[0].ID != "customer-export/pizza/"+id.String() {
		t.Fatalf("%v", started)
	}
	for !s.batch(t, id) {
	}
	s.end(t, id, customerexport.Finished)
	sweep := func(after time.Duration) {
		s.now = time.Now().Add(after)
		if err := s.exports.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	sweep(7*24*time.Hour - time.Minute)
	if got := s.rows(id); len(got) != 3 {
		t.Fatalf("%v", got)
	}
	sweep(7*24*time.Hour + time.Minute)
	if n := s.Count(`SELECT count(*) FROM customer_export_chunk`); n != 0 {
		t.Fatalf("%d chunks are left", n)
	}
	if code := s.Want(http.StatusGone, http.MethodGet, path+"/"+id.String()+"/file", s.token, nil, nil).Code(); code != "export_gone" {
		t.Fatalf("got %s", code)
	}
	before := len(s.flow.Started())
	s.order(t)
	s.flow.Work(s.exports.Worker)
	sweep(time.Minute)
	if got := len(s.flow.Started()); got < before+1 {
		t.Fatalf("%d processes were started, %d before", got, before)
	}
	s.Eventually("it is written", func() bool { return s.Count(`SELECT count(*) FROM customer_export WHERE state = 'finished'`) == 1 })
}
