package ledger

import (
	"context"
	"math/big"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Sums are the ledger added up, in points:
//
//	Earned - Reversed - Spent + Restored - Expired + Adjusted = Available + Pending - Debt
type Sums struct {
	Members                  int64
	Entries                  int64
	Earned                   int64 // points given, those of grants included
	Granted                  int64 // the part of them that other services gave
	Reversed                 int64
	Spent, Restored          int64
	Expired                  int64
	Adjusted                 int64 // given less taken: may be below zero
	Available, Pending, Debt int64
	LedgerSum                int64 // of all postings: 0
}

// add adds other sums.
func (s *Sums) add(o Sums) {
	s.Members += o.Members
	s.Entries += o.Entries
	s.Earned += o.Earned
	s.Granted += o.Granted
	s.Reversed += o.Reversed
	s.Spent += o.Spent
	s.Restored += o.Restored
	s.Expired += o.Expired
	s.Adjusted += o.Adjusted
	s.Available += o.Available
	s.Pending += o.Pending
	s.Debt += o.Debt
	s.LedgerSum += o.LedgerSum
}

// OfProgramme is a programme's part of the ledger.
type OfProgramme struct {
	Code string
	Sums
	// What the programme owes its members: available and pending points, in minor units of the currency by what a point is worth
	// now, rounded up. The currency is empty where the terms do not say what one is worth.
	Currency       string
	LiabilityMinor int64
}

// Summary is the ledger of a tenant added up, as a whole and by programme.
type Summary struct {
	Sums
	Programmes []OfProgramme // the standard one first, the others by their codes
}

// Summary gives the sums of the caller's tenant.
func (l *Ledger) Summary(ctx context.Context) (s Summary, err error) {
	err = l.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		of, book, err := sums(ctx, tx)
		if err != nil {
			return err
		}
		s = Summary{}
		for _, code := range book.Codes() {
			one := of[code]
			delete(of, code)
			part := OfProgramme{Code: code, Sums: one}
			if p, ok := book.At(code, l.Now()); ok {
				part.Currency, part.LiabilityMinor = liability(p.Worth, one.Available+one.Pending)
			}
			s.add(one)
			s.Programmes = append(s.Programmes, part)
		}
		for code, one := range of { // a programme that is not there
			s.add(one)
			s.Programmes = append(s.Programmes, OfProgramme{Code: code, Sums: one})
		}
		return nil
	})
	return s, err
}

// sums adds up by programme, in one statement so that all numbers are of one moment.
func sums(ctx context.Context, tx *pg.Tx) (of map[string]Sums, book *programme.Book, err error) {
	of, book = make(map[string]Sums), programme.BookOf(tx)
	rows, err := tx.Query(ctx, `SELECT programme, coalesce(m.members, 0), coalesce(e.entries, 0), coalesce(e.earned, 0), coalesce(e.granted, 0),
			coalesce(e.reversed, 0), coalesce(e.spent, 0), coalesce(e.restored, 0), coalesce(e.expired, 0), coalesce(e.adjusted, 0),
			coalesce(e.available, 0), coalesce(e.pending, 0), coalesce(e.debt, 0), coalesce(e.total, 0)
		FROM (
			SELECT programme, count(*) AS entries,
				coalesce(-sum(issued) FILTER (WHERE kind IN ('earn', 'grant')), 0)::bigint AS earned,
				coalesce(-sum(issued) FILTER (WHERE kind = 'grant'), 0)::bigint AS granted,
				coalesce(sum(issued) FILTER (WHERE kind = 'reversal'), 0)::bigint AS reversed,
				coalesce(sum(redeemed) FILTER (WHERE kind = 'spend'), 0)::bigint AS spent,
				coalesce(-sum(redeemed) FILTER (WHERE kind = 'restore'), 0)::bigint AS restored,
				sum(expired)::bigint AS expired, -sum(adjusted)::bigint AS adjusted,
				sum(available)::bigint AS available, sum(pending)::bigint AS pending, -sum(debt)::bigint AS debt,
				sum(pending + available + debt + issued + redeemed + expired + adjusted + settlement)::bigint AS total
			FROM ledger_entry WHERE tenant_id = $1 GROUP BY programme
		) e FULL JOIN (SELECT programme, count(*) AS members FROM member WHERE tenant_id = $1 GROUP BY programme) m USING (programme)`, tx.Tenant())
	if err != nil {
		return nil, nil, err
	}
	var (
		code string
		s    Sums
	)
	_, err = pgx.ForEachRow(rows, []any{
		&code, &s.Members, &s.Entries, &s.Earned, &s.Granted, &s.Reversed, &s.Spent, &s.Restored, &s.Expired,
		&s.Adjusted, &s.Available, &s.Pending, &s.Debt, &s.LedgerSum,
	}, func() error {
		of[code] = s
		return nil
	})
	return of, book, err
}

// liability gives what points, 0 or more, are worth, rounded up, so that nobody takes what is owed for less than it is.
func liability(w programme.Worth, points int64) (currency string, minor int64) {
	if w.Points <= 0 {
		return "", 0
	}
	n := new(big.Int).Mul(big.NewInt(points), big.NewInt(w.Minor))
	n.Add(n, big.NewInt(w.Points-1)).Div(n, big.NewInt(w.Points))
	if !n.IsInt64() || n.Int64() > money.Max {
		return w.Currency, money.Max
	}
	return w.Currency, n.Int64()
}

type summaryAnswer struct{ Body summaryView }

type summaryView struct {
	SumsView
	Programmes []programmeSums `json:"programmes" nullable:"false" doc:"The same for each programme, the standard one first."`
}

// SumsView is sums as the API shows them.
type SumsView struct {
	Members   int64 `json:"members"`
	Entries   int64 `json:"entries" doc:"Of the ledger."`
	Earned    int64 `json:"earned" doc:"Points given, those of grants included."`
	Granted   int64 `json:"granted" doc:"The part of them that was granted, such as for a complaint."`
	Reversed  int64 `json:"reversed" doc:"Points taken back."`
	Spent     int64 `json:"spent"`
	Restored  int64 `json:"restored" doc:"Points of spends that were given back."`
	Expired   int64 `json:"expired" doc:"Points that ran out."`
	Adjusted  int64 `json:"adjusted" doc:"Points given by hand or by a rule, less those taken: may be below zero."`
	Available int64 `json:"available" doc:"Points that members can spend."`
	Pending   int64 `json:"pending" doc:"Locked points."`
	Debt      int64 `json:"debt" doc:"Points that members owe."`
	LedgerSum int64 `json:"ledger_sum" doc:"All postings added up: 0."`
}

// programmeSums is a programme's part of the summary.
type programmeSums struct {
	Programme string `json:"programme" doc:"Code of the programme." example:"standard"`
	SumsView
	Liability int64             `json:"liability" doc:"Points that the programme owes its members: available and pending ones."`
	Worth     *liabilityInMoney `json:"liability_worth,omitempty" doc:"What they are worth by the terms of now; absent where these do not say what a point is worth."`
}

type liabilityInMoney struct {
	Currency    string `json:"currency" example:"CNY"`
	AmountMinor int64  `json:"amount_minor" doc:"In minor units, rounded up."`
}

func showSummary(s Summary) summaryView {
	v := summaryView{SumsView: SumsView(s.Sums), Programmes: make([]programmeSums, len(s.Programmes))}
	for i, p := range s.Programmes {
		v.Programmes[i] = programmeSums{Programme: p.Code, SumsView: SumsView(p.Sums), Liability: p.Available + p.Pending}
		if p.Currency != "" {
			v.Programmes[i].Worth = &liabilityInMoney{p.Currency, p.LiabilityMinor}
		}
	}
	return v
}
