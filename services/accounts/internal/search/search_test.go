package search_test

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/search"
)

// one reads a single value as an administrator of the database.
func (w *world) one(into any, sql string, args ...any) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.Database.AdminURL())
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(w.t.Context())) }()
	if err := conn.QueryRow(w.t.Context(), sql, args...).Scan(into); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

func codes(t *testing.T, decode func(testing.TB, any)) (all []string) {
	t.Helper()
	var p struct{ Errors []struct{ Code string } }
	decode(t, &p)
	for _, e := range p.Errors {
		all = append(all, e.Code)
	}
	return all
}

// The functions' own statements are explained, under the settings that the functions have.
func TestTheIndexOfTermsIsUsed(t *testing.T) {
	t.Parallel()
	w := start(t)
	conn, err := pgx.Connect(t.Context(), w.Database.AdminURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	values := map[string]string{
		"p_all": "'0000000na'::tsquery", "p_exact": "'0000000na'::tsquery", "p_low": "''", "p_high": "'b'", "p_tier": "0", "p_name": "''",
		"p_id": "'00000000-0000-0000-0000-000000000000'::uuid", "p_limit": "10", "p_cap": "100", "p_keys": "ARRAY[1,2]::bigint[]",
		"p_terms": "ARRAY['0000000na']::tsquery[]",
	}
	for function, index := range map[string]string{
		"customer_search_few": "customer_search_terms", "customer_search_hits": "customer_search_terms", "customer_search_near": "customer_search_word_near",
	} {
		var source string
		var settings []string
		if err := conn.QueryRow(t.Context(), `SELECT prosrc, proconfig FROM pg_proc WHERE proname = $1`, function).Scan(&source, &settings); err != nil {
			t.Fatal(err)
		}
		for _, setting := range settings {
			if name, value, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "enable_") {
				if _, err := conn.Exec(t.Context(), "SET "+name+" = "+value); err != nil {
					t.Fatal(err)
				}
			}
		}
		source = regexp.MustCompile(`\bp_\w+`).ReplaceAllStringFunc(source, func(p string) string { return values[p] })
		rows, err := conn.Query(t.Context(), "EXPLAIN "+source)
		if err != nil {
			t.Fatalf("%s: %v", function, err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		plan := strings.Join(lines, "\n")
		if err != nil || !strings.Contains(plan, "Bitmap Index Scan on "+index) || strings.Contains(plan, "Seq Scan on customer") {
			t.Errorf("%s: %v\n%s", function, err, plan)
		}
	}
}

// However many there are, the same are found in the same order.
func TestManyAreFoundAsFewAre(t *testing.T) {
	t.Parallel()
	w := start(t)
	names := []string{"Smith", "Anna Smith", "Smith Anna", "Blacksmith", "Smiht", "Smithson", "王伟", "王小明", "小王", "李王", "Li Wang", "wang"}
	for n := range 36 {
		w.register(fmt.Sprintf("%s %d", names[n%len(names)], n), "phone", fmt.Sprintf("+86138001380%02d", n))
	}
	w.index()
	ctx := auth.With(t.Context(), auth.Principal{Subject: "ann", Tenant: "pizza"})
	most := 0
	for _, text := range []string{"smith", "smi", "smit anna", "王", "wang", "w", "1380", "", "zzz", "smithe"} {
		for _, sort := range []search.Sort{search.Relevance, search.ByName, search.Newest} {
			q := search.Query{Text: text, Sort: sort, Identity: true, Contact: true, Behaviour: true}
			want, _, err := search.New(w.DB).All(ctx, q, 200)
			if err != nil {
				t.Fatal(err)
			}
			for _, limit := range []int{1, 2, 7} {
				got, pages, err := search.Tight(w.DB).All(ctx, q, limit)
				if err != nil {
					t.Fatal(err)
				}
				if most = max(most, pages); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%q by %s in pages of %d:\n%v\nwant\n%v", text, sort, limit, displays(got), displays(want))
				}
			}
		}
	}
	if most < 36 {
		t.Errorf("%d pages: this test shows nothing", most)
	}
}

func displays(hits []search.Hit) (names []string) {
	for _, h := range hits {
		names = append(names, h.DisplayName)
	}
	return names
}

func TestWhatOneMayNotCallAndChangeIsRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.register("李雷")
	w.index()
	var n int
	err := w.ops.System(t.Context(), func(tx *pg.Tx) error {
		return tx.QueryRow(t.Context(), `SELECT count(*) FROM customer_search_hits(ARRAY['x'::tsquery], 1)`).Scan(&n)
	})
	if err == nil {
		t.Error("the role of operators calls a function of the app's")
	}
	err = w.DB.System(t.Context(), func(tx *pg.Tx) error { // without a tenant
		return tx.QueryRow(t.Context(), `SELECT count(*) FROM customer_search_few('!''x'''::tsquery, '!''x'''::tsquery, '', '', -1, '', $1, 10, 10)
			WHERE customer_id IS NOT NULL`, uuid.Max).Scan(&n)
	})
	if err != nil || n != 0 {
		t.Errorf("without a tenant %d are found: %v", n, err)
	}
}

// An indexer that is killed before its commit leaves the marks, and another one begins where it began.
func TestWhatAKilledIndexerHadInHandIsDoneAgain(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.register("李雷")
	killed := search.NewIndexer(w.DB, w.ops, slog.New(slog.DiscardHandler), func(ctx context.Context, tx *pg.Tx, _ []search.Standing, _ []uuid.UUID) error {
		_, err := tx.ExecNow(ctx, `SELECT pg_terminate_backend(pg_backend_pid())`)
		return err
	})
	if err := killed.Turn(t.Context()); err == nil {
		t.Fatal("it was not killed")
	}
	w.finds("李雷")
	w.index()
	w.finds("李雷", "李雷")
}

func TestAChangeThatIsCommittedMeanwhileIsNotLost(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := w.register("李雷")
	meanwhile := search.NewIndexer(w.DB, w.ops, slog.New(slog.DiscardHandler), func(context.Context, *pg.Tx, []search.Standing, []uuid.UUID) error {
		w.AsSuperuser(t, `UPDATE customer SET display_name = '韩梅梅', version = version + 1 WHERE id = $1`, id)
		return nil
	})
	if err := meanwhile.Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.index()
	w.finds("韩梅梅", "韩梅梅")
	w.finds("李雷")
}

func TestAsOfSaysHowFarTheIndexIs(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.register("李雷")
	w.AsSuperuser(t, `UPDATE customer_pending SET at = at - interval '1 hour'`)
	if got := w.search(w.agent).AsOf; time.Since(got) < 59*time.Minute {
		t.Errorf("a change of an hour ago is pending, and it says %v", got)
	}
	w.index()
	if got := w.search(w.agent).AsOf; time.Since(got) > time.Minute {
		t.Errorf("nothing is pending, and it says %v", got)
	}
}

func TestWhatAnImportChangesWaitsBehindWhatPeopleChange(t *testing.T) {
	t.Parallel()
	w := start(t)
	first, second := w.register("李雷"), w.register("王伟")
	w.index()
	rename := func(id, display string) {
		err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
			customer.InBulk(tx)
			tx.Queue(`UPDATE customer SET version = version + 1, display_name = $2 WHERE id = $1`, id, display)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	rename(first, "韩梅梅")
	rename(second, "张三")
	w.register("赵六")
	turn := func() {
		if err := search.NewIndexer(w.DB, w.ops, slog.New(slog.DiscardHandler), nil).Turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	const marks = `UPDATE customer_pending SET at = now() + interval '1 hour' WHERE seq >= 1::bigint << 62`
	w.AsSuperuser(t, marks) // the import goes on
	turn()
	w.finds("赵六", "赵六")
	w.finds("韩梅梅")
	w.AsSuperuser(t, `UPDATE customer_pending SET at = now() - interval '11 minutes' WHERE seq = (SELECT min(seq) FROM customer_pending)`)
	turn()
	w.finds("韩梅梅", "韩梅梅") // it has waited for long enough
}

func TestErasureLeavesNothingInTheIndex(t *testing.T) {
	t.Parallel()
	w := start(t)
	id := uuid.MustParse(w.register("Zsofia Zsolnay", "phone", "138 0013 8000"))
	w.register("Zsofia Smith")
	w.index()
	for round, want := range []int64{1, 0} {
		err := w.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
			removed, err := search.Erase(t.Context(), tx, []uuid.UUID{id})
			if removed["customer_search"] != want {
				t.Errorf("round %d removed %v", round, removed)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.finds("zsolnay")
	w.finds("8000")
	w.finds("zsofia", "Zsofia Smith")
	var words int
	w.one(&words, `SELECT count(*) FROM customer_search_word WHERE word = 'zsolnay'`)
	if words != 0 {
		t.Error("the erased customer's word is kept")
	}
	err := w.DB.Tx(t.Context(), "music", func(tx *pg.Tx) error { // another tenant erases nothing here
		_, err := search.Erase(t.Context(), tx, []uuid.UUID{id})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
