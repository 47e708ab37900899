package customer_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// TestCustomersAreReadByTheirKeys holds the plans to indexes: under row level security a comparison that is not leakproof
// would have the server read all of the tenant's rows.
func TestCustomersAreReadByTheirKeys(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	var c customerView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.Token(auth.RoleAgent, "pizza"), known("李雷", "card", "VIP17"), &c)
	scan := regexp.MustCompile(`Seq Scan on customer\w*|Index Cond: \(tenant_id = '[^)]*\)\n`)
	err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.Queue(`INSERT INTO customer (tenant_id, id, version, kind, display_name, given_name, family_name, legal_name, source, registered_at, changed_at)
			SELECT 'pizza', gen_random_uuid(), 1, 'person', 'x', '', '', '', 'test', now(), now() FROM generate_series(1, 3000)`)
		tx.Queue(`INSERT INTO customer_identity (tenant_id, type, value, customer_id, added_at)
			SELECT tenant_id, 'phone', '+86' || row_number() OVER (), id, now() FROM customer WHERE tenant_id = 'pizza'`)
		tx.Queue(`INSERT INTO customer_address (tenant_id, id, customer_id, kind, lines, city, region, postal_code, country, added_at)
			SELECT tenant_id, gen_random_uuid(), id, 'home', '{x}', '', '', '', 'CN', now() FROM customer WHERE tenant_id = 'pizza'`)
		tx.PlanForAny()
		plans, err := customer.Plans(t.Context(), tx, uuid.MustParse(c.CustomerID), card)
		for name, plan := range plans {
			if found := scan.FindString(plan); found != "" && (name != "archived" || !strings.Contains(plan, "customer_archived")) {
				t.Errorf("%s reads all of the tenant's: %s\n%s", name, found, plan)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRoundTripsOfALookUp holds what recognising a caller costs: each round trip is a wait of its own, and somebody is on
// the line.
func TestRoundTripsOfALookUp(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", w.Token(auth.RoleAgent, "pizza"), known("李雷", "phone", "13812345678"), nil)
	db, wire := w.Database.Wired(t)
	customers := customer.New(db, nil, access.NewLog(db, time.Now), time.Now)
	ctx := auth.With(t.Context(), auth.Principal{Subject: "desk", Tenant: "pizza", Roles: []string{auth.RoleAgent}})
	sight, err := access.For(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, value string
		found       int
		trips       int64
	}{
		{"a number that names its country", "+8613812345678", 1, 1},
		{"a number of the tenant's own country", "13812345678", 1, 2},
		{"nobody's number, who might be of a tenant that is not there", "+8613800000000", 0, 3},
	} {
		look := func() {
			found, err := customers.Lookup(ctx, sight, "phone", c.value, false)
			if err != nil || len(found) != c.found {
				t.Errorf("%s: found %d customers, %v; want %d", c.name, len(found), err, c.found)
			}
		}
		look() // the first time statements are prepared as well
		before := wire.Trips()
		look()
		if trips := wire.Trips() - before; trips != c.trips {
			t.Errorf("%s is looked up in %d round trips, want %d", c.name, trips, c.trips)
		}
	}
}

func TestALockHoldsWhoStandsForTheCustomerWhenItIsGot(t *testing.T) {
	t.Parallel()
	w := start(t)
	first, other := uuid.MustParse(w.first.CustomerID), uuid.MustParse(w.other.CustomerID)
	merging, merged, waited := make(chan struct{}), make(chan struct{}), make(chan error, 2)
	commit := sync.OnceFunc(func() { close(merged) })
	defer commit()
	go func() {
		waited <- w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
			tx.Queue(`UPDATE customer SET state = 'absorbed', root_id = $2 WHERE tenant_id = 'pizza' AND id = $1`, other, first)
			tx.Queue(`UPDATE customer SET aliases = ARRAY[$1::uuid] WHERE tenant_id = 'pizza' AND id = $2`, other, first)
			err := tx.Flush(t.Context())
			close(merging)
			<-merged
			return err
		})
	}()
	<-merging
	go func() {
		waited <- w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
			refs, err := customer.Lock(t.Context(), tx, other)
			if err != nil {
				return err
			}
			if refs[other].Root != first {
				t.Errorf("the lock is on %+v", refs)
			}
			return w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
				var free []uuid.UUID
				rows, err := tx.Query(t.Context(), `SELECT id FROM customer WHERE tenant_id = 'pizza' AND id = ANY($1::uuid[]) FOR UPDATE SKIP LOCKED`,
					[]uuid.UUID{first, other})
				if err == nil {
					free, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
				}
				if len(free) > 0 {
					t.Errorf("%v are not locked", free)
				}
				return err
			})
		})
	}()
	w.Eventually("the lock is waited for", func() bool {
		return w.Count(`SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.datname = current_database()`) > 0
	})
	commit()
	for range 2 {
		if err := <-waited; err != nil {
			t.Error(err)
		}
	}
}

func TestOfTwoWhoChangeTheSameOneIsRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	statuses := make(chan int, 8)
	for n := range cap(statuses) {
		go func() {
			statuses <- w.Do(http.MethodPatch, "/v1/customers/"+w.first.CustomerID, w.agent, body{"given_name": fmt.Sprint("n", n)}, "If-Match", `"1"`).Status
		}()
	}
	got := map[int]int{}
	for range cap(statuses) {
		got[<-statuses]++
	}
	if got[http.StatusOK] != 1 || got[http.StatusPreconditionFailed] != cap(statuses)-1 {
		t.Fatalf("%v, want one 200", got)
	}
}

// What customers have in common is sent once: they are the same one by one, where all is, and together, where much is not.
func TestNewCustomersAreKeptAlikeTogetherAndOneByOne(t *testing.T) {
	t.Parallel()
	db := accountstest.Start(t).DB
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	number := func(n int) identity.Identity {
		return identity.Identity{Type: identity.Phone, Value: fmt.Sprintf("+861380013800%d", n)}
	}
	drafts := []customer.Draft{
		{}, {}, {Kind: customer.Organisation}, {Source: "shop"}, {Owner: "ann"}, {Tags: []string{"north", "vip"}}, {Custom: map[string]any{"size": "XL"}},
		{Validity: map[identity.Identity]customer.Validity{number(7): {ValidFrom: noon, VerifiedAt: noon.Add(time.Hour)}}}, {},
	}
	var all []customer.Customer
	for n, d := range drafts {
		d.Names, d.Identities = customer.Names{Given: fmt.Sprint("Ann ", n), Family: "Smith"}, []identity.Identity{number(n)}
		if n == 2 {
			d.Names = customer.Names{Legal: "Smith Ltd."}
		}
		c, faults := customer.Register(uuid.Must(uuid.NewV7()), d, noon.Add(time.Duration(n/8)*time.Minute))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		c.Version = 1
		all = append(all, c)
	}
	kept := func(tenant string, parts ...[]customer.Customer) (rows []string) {
		err := db.Tx(t.Context(), tenant, func(tx *pg.Tx) error {
			for _, part := range parts {
				customer.Insert(tx, part...)
			}
			found, err := tx.Query(t.Context(), `SELECT (to_jsonb(x) - 'tenant_id')::text FROM customer x WHERE tenant_id = $1
				UNION ALL SELECT (to_jsonb(x) - 'tenant_id')::text FROM customer_identity x WHERE tenant_id = $1 ORDER BY 1`, tenant)
			if err != nil {
				return err
			}
			rows, err = pgx.CollectRows(found, pgx.RowTo[string])
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	want := kept("pizza", slices.Collect(slices.Chunk(all, 1))...)
	if len(want) != 2*len(all) {
		t.Fatalf("%d rows are kept of %d customers", len(want), len(all))
	}
	if got := kept("music", all); !slices.Equal(got, want) {
		t.Errorf("all at once:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for n, c := range all { // against mistakes that both ways share
		for _, says := range []string{c.Display, c.Source, string(c.Kind), number(n).Value, c.ID.String()} {
			if !strings.Contains(strings.Join(want, "\n"), says) {
				t.Errorf("%s is not kept", says)
			}
		}
	}
}
