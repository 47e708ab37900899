package search

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/migrations"
)

// Whatever the statistics say, customers are loaded by their keys, under row level security, too.
func TestCustomersAreLoadedByTheirKeys(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, migrate.Source{Service: "accounts", FS: migrations.FS})
	err := db.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.PlanForAny()
		rows, err := tx.Query(t.Context(), "EXPLAIN "+loadSQL, "pizza", []uuid.UUID{})
		if err != nil {
			return err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		plan := strings.Join(lines, "\n")
		keys := strings.Count(plan, "AND (id = ") + strings.Count(plan, "AND (customer_id = ")
		if strings.Contains(plan, "Seq Scan") || keys != 5 || strings.Contains(plan, "Index Cond: (tenant_id = 'pizza'::text)\n") {
			t.Errorf("%d of 5 tables are read by their keys\n%s", keys, plan)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Someone with a frequent given name and a rare family name is found by the latter: how many others have the former does
// not matter, in their names and in their addresses, as written and mistyped.
func TestAFrequentNameCostsNoMoreThanARareOne(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t, migrate.Source{Service: "accounts", FS: migrations.FS})
	db := database.DB(pg.App)
	conn, err := pgx.Connect(t.Context(), database.AdminURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	const many = 6000
	terms := newTerms("pizza")
	entries := make([]entry, many)
	for n := range entries {
		given, family := "James", fmt.Sprintf("Q%06d", n*7919%1_000_003)
		if n < 2 { // a James and a Joris
			given, family = []string{"James", "Joris"}[n], "Harton"
		}
		full := given + " " + family
		mail := identity.Identity{Type: identity.Email, Value: strings.ToLower(given + "." + family + "@example.com")}
		entries[n] = terms.entry(uuid.Must(uuid.NewV7()), Record{Display: full, Names: []string{full}, Identities: []identity.Identity{mail}})
	}
	if err := db.Tx(t.Context(), "pizza", func(tx *pg.Tx) error { return write(t.Context(), tx, terms, entries, nil) }); err != nil {
		t.Fatal(err)
	}
	expressions := func(text string) (all, mistyped expr) {
		err := db.Read(t.Context(), "pizza", func(tx *pg.Tx) error {
			q := Query{Text: text, Identity: true, Contact: true}
			known, err := wordsBegin(t.Context(), tx, q.beginnings())
			p := read("pizza", q, known)
			all, mistyped = p.all, p.mistyped(q, map[string][]string{"harton": {"hartan"}})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return all, mistyped
	}
	rare, mistypedRare := expressions("joris harton")
	for _, text := range []string{"james harton", "harton james"} {
		frequent, mistypedFrequent := expressions(text)
		for _, e := range [][2]expr{{frequent, rare}, {mistypedFrequent, mistypedRare}} {
			blocks, found := indexBlocks(t, conn, e[0])
			if least, _ := indexBlocks(t, conn, e[1]); found != 1 || blocks > least+20 {
				t.Errorf("%q finds %d and reads %d blocks of the index, against %d\n%s", text, found, blocks, least, e[0])
			}
		}
	}
}

// A name that somebody has is asked for by whole words: as it is, and as what it begins.
func TestAWholeNameIsNoBeginning(t *testing.T) {
	t.Parallel()
	begins := func(known vocabulary) (kinds string) {
		p := read("pizza", Query{Text: "james", Identity: true, Contact: true}, known)
		for _, kind := range []rune{termWord, termPinyin, termSuffix, termMail, termMailWord} {
			if strings.Contains(string(p.all), string(p.prefix(kind, "james"))) {
				kinds += string(kind)
			}
		}
		for _, longer := range known["james"] {
			if !strings.Contains(kinds, "n") && !strings.Contains(string(p.all), string(p.lex(termWord, longer))) {
				t.Errorf("%s does not look for %s", p.all, longer)
			}
		}
		return kinds
	}
	most := []string{"james"}
	for n := range maxBegin {
		most = append(most, fmt.Sprintf("james%c", 'a'+n))
	}
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"james"}, "ue"}, {[]string{"james", "jameson"}, "ue"}, {[]string{"jamesina"}, "pue"}, {nil, "pue"},
		{most, "nue"}, // more than are written out
		{append([]string{"jamesa"}, most...), "npue"}, // and none is the word itself
	} {
		if got := begins(vocabulary{"james": c.words}); got != c.want {
			t.Errorf("where there are %v, james is a beginning of %q, want %q", c.words, got, c.want)
		}
	}
}

// indexBlocks gives how many blocks of the index of terms an expression reads, and how many it finds.
func indexBlocks(t *testing.T, conn *pgx.Conn, e expr) (blocks, found int) {
	t.Helper()
	for _, setting := range []string{"seqscan", "indexscan", "indexonlyscan"} {
		if _, err := conn.Exec(t.Context(), "SET enable_"+setting+" = off"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Exec(t.Context(), `SELECT gin_clean_pending_list('customer_search_terms')`); err != nil {
		t.Fatal(err)
	}
	var out []byte
	err := conn.QueryRow(t.Context(), `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON)
		SELECT FROM customer_search WHERE terms @@ `+literal(string(e))+`::tsquery`).Scan(&out)
	if err != nil {
		t.Fatal(err)
	}
	type node struct {
		Index string `json:"Index Name"`
		Rows  int    `json:"Actual Rows"`
		Hit   int    `json:"Shared Hit Blocks"`
		Read  int    `json:"Shared Read Blocks"`
		Plans []node
	}
	var plans []struct{ Plan node }
	if err := json.Unmarshal(out, &plans); err != nil || len(plans[0].Plan.Plans) != 1 || plans[0].Plan.Plans[0].Index != "customer_search_terms" {
		t.Fatalf("%v: %s", err, out)
	}
	scan := plans[0].Plan.Plans[0]
	return scan.Hit + scan.Read, scan.Rows
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
