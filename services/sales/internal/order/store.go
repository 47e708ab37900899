package order

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for an order that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "order_not_found", "There is no such order.")

// externalIndex is the constraint that gives a selling system's name to one order only, quoteIndex the one that gives it a quote.
const (
	externalIndex = "sales_order_external"
	quoteIndex    = "sales_order_quote"
)

const columns = `o.id, o.external_system, o.external_id, o.customer_id, customer_root(o.tenant_id, o.customer_id), o.customer_system, o.customer_external_id, o.channel,
	o.currency, o.units, o.total_minor, o.returned_units, o.returned_minor, o.placed_at, o.recorded_at,
	o.quote_id, o.opportunity_id, l.nos, l.skus, l.quantities, l.amounts, l.returned_quantities, l.returned_amounts`

// lines of an order o as arrays beside each other: one row an order, however many lines.
const lines = `LEFT JOIN LATERAL (
		SELECT array_agg(line_no ORDER BY line_no) AS nos, array_agg(sku ORDER BY line_no) AS skus,
			array_agg(quantity ORDER BY line_no) AS quantities, array_agg(amount_minor ORDER BY line_no) AS amounts,
			array_agg(returned_quantity ORDER BY line_no) AS returned_quantities,
			array_agg(returned_minor ORDER BY line_no) AS returned_amounts
		FROM order_line WHERE tenant_id = o.tenant_id AND order_id = o.id
	) l ON true`

// Insert queues new orders with their lines, all in two statements. An order whose external name another one has
// violates sales_order_external.
func Insert(tx *pg.Tx, orders ...Order) {
	n := len(orders)
	// Ids travel as bytes: a uuid.UUID would as text.
	ids, customers, quotes, opportunities := make([][16]byte, n), make([]*[16]byte, n), make([]*[16]byte, n), make([]*[16]byte, n)
	systems, externalIDs, fingerprints := make([]*string, n), make([]*string, n), make([][]byte, n)
	customerSystems, customerIDs := make([]*string, n), make([]*string, n)
	channels, currencies := make([]string, n), make([]string, n)
	units, totals, placed, recorded := make([]int64, n), make([]int64, n), make([]time.Time, n), make([]time.Time, n)
	var l lineArrays
	for i := range orders {
		o := &orders[i]
		ids[i], fingerprints[i], channels[i], currencies[i] = o.ID, o.Fingerprint, o.Channel, o.Currency
		units[i], totals[i], placed[i], recorded[i] = o.Units, o.TotalMinor, o.PlacedAt, o.RecordedAt
		customers[i], quotes[i], opportunities[i] = orNull(&o.CustomerID), orNull(&o.QuoteID), orNull(&o.OpportunityID)
		if !o.ExternalRef.IsZero() {
			systems[i], externalIDs[i] = &o.ExternalRef.System, &o.ExternalRef.ID
		}
		if !o.CustomerRef.IsZero() {
			customerSystems[i], customerIDs[i] = &o.CustomerRef.System, &o.CustomerRef.ID
		}
		for _, line := range o.Lines {
			l.add(o.ID, line)
		}
	}
	// In the order of the external names, so that two imports of one file never wait for each other in a circle.
	tx.Queue(`INSERT INTO sales_order (tenant_id, id, external_system, external_id, fingerprint, customer_id, customer_system,
			customer_external_id, channel, currency, units, total_minor, placed_at, recorded_at, quote_id, opportunity_id)
		SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::uuid[], $7::text[], $8::text[], $9::text[],
			$10::text[], $11::bigint[], $12::bigint[], $13::timestamptz[], $14::timestamptz[], $15::uuid[], $16::uuid[]) AS n(id,
			external_system, external_id, fingerprint, customer_id, customer_system, customer_external_id, channel, currency, units,
			total_minor, placed_at, recorded_at, quote_id, opportunity_id)
		ORDER BY n.external_system, n.external_id, n.id`,
		tx.Tenant(), ids, systems, externalIDs, fingerprints, customers, customerSystems, customerIDs, channels, currencies,
		units, totals, placed, recorded, quotes, opportunities)
	tx.Queue(`INSERT INTO order_line (tenant_id, order_id, line_no, sku, quantity, amount_minor)
		SELECT $1, * FROM unnest($2::uuid[], $3::int[], $4::text[], $5::bigint[], $6::bigint[])`,
		tx.Tenant(), l.owners, l.nos, l.skus, l.quantities, l.amounts)
}

// orNull gives an id as bytes; nil for Nil.
func orNull(id *uuid.UUID) *[16]byte {
	if *id == uuid.Nil {
		return nil
	}
	return (*[16]byte)(id)
}

// lineArrays holds lines of orders or of returns, column by column.
type lineArrays struct {
	owners              [][16]byte
	nos                 []int32
	skus                []string
	quantities, amounts []int64
}

func (a *lineArrays) add(owner uuid.UUID, l Line) {
	a.owners, a.nos, a.skus = append(a.owners, owner), append(a.nos, l.No), append(a.skus, l.SKU)
	a.quantities, a.amounts = append(a.quantities, l.Quantity), append(a.amounts, l.AmountMinor)
}

// Known is an order that stands in the books under an external name.
type Known struct {
	ID          uuid.UUID
	Fingerprint []byte
}

// Find queues the search for orders by external name; found is filled by the next round trip.
func Find(tx *pg.Tx, names []externalref.Ref) (found map[externalref.Ref]Known) {
	found = make(map[externalref.Ref]Known)
	if len(names) == 0 {
		return found
	}
	systems, ids := make([]string, len(names)), make([]string, len(names))
	for i, n := range names {
		systems[i], ids[i] = n.System, n.ID
	}
	// Each by its whole key: a plain join that was planned while the table was new would read all orders of the tenant.
	tx.Queue(`SELECT n.system, n.id, o.id, o.fingerprint
		FROM unnest($2::text[], $3::text[]) AS n(system, id)
		JOIN LATERAL (SELECT k.id, k.fingerprint FROM sales_order k
			WHERE k.tenant_id = $1 AND k.external_system = n.system AND k.external_id = n.id LIMIT 1) o ON true`,
		tx.Tenant(), systems, ids).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var (
				ref   externalref.Ref
				known Known
			)
			if err := rows.Scan(&ref.System, &ref.ID, &known.ID, &known.Fingerprint); err != nil {
				return err
			}
			found[ref] = known
		}
		return rows.Err()
	})
	return found
}

// get gives an order, or errNotFound.
func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Order, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM sales_order o `+lines+` WHERE o.tenant_id = $1 AND o.id = $2`, tx.Tenant(), id))
}

// lock queues the locking of an order until the transaction ends. What is read afterwards is what the last change left.
func lock(tx *pg.Tx, id uuid.UUID) {
	tx.Queue(`SELECT 1 FROM sales_order WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id)
}

// list gives up to limit orders that fit the filter, the latest first.
func list(ctx context.Context, tx *pg.Tx, f Filter, limit int) ([]Order, error) {
	sql, args := listSQL(tx.Tenant(), f, limit)
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Order, error) { return scan(row) })
}

func listSQL(tenant string, f Filter, limit int) (sql string, args []any) {
	where, args := []string{"o.tenant_id = $1"}, []any{tenant}
	only := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where = append(where, condition)
	}
	if !f.PlacedFrom.IsZero() {
		only("o.placed_at >= ?", f.PlacedFrom)
	}
	if !f.PlacedTo.IsZero() {
		only("o.placed_at < ?", f.PlacedTo)
	}
	if f.After != nil {
		only("(o.placed_at, o.id) < (?, ?)", f.After.PlacedAt, f.After.ID)
	}
	latest := fmt.Sprintf(`ORDER BY o.placed_at DESC, o.id DESC LIMIT %d`, limit)
	from := fmt.Sprintf(`(SELECT * FROM sales_order o WHERE %s %s) o `, strings.Join(where, " AND "), latest)
	if f.CustomerID != uuid.Nil { // of each id that means the customer the latest, by the index that has them in order
		only("o.customer_id = g.id")
		args = append(args, f.CustomerID)
		from = fmt.Sprintf(`unnest(customer_group($1, $%d)) AS g(id) CROSS JOIN LATERAL (SELECT * FROM sales_order o WHERE %s %s) o `,
			len(args), strings.Join(where, " AND "), latest)
	}
	return `SELECT ` + columns + ` FROM ` + from + lines + ` ` + latest, args
}

func scan(row pgx.Row) (Order, error) {
	var (
		o                                       Order
		customer, root, quote, opportunity      *uuid.UUID
		system, id, customerSystem, customerRef *string
		nos                                     []int32
		skus                                    []string
		quantities, amounts, backQ, backA       []int64
	)
	err := row.Scan(&o.ID, &system, &id, &customer, &root, &customerSystem, &customerRef, &o.Channel, &o.Currency, &o.Units, &o.TotalMinor,
		&o.ReturnedUnits, &o.ReturnedMinor, &o.PlacedAt, &o.RecordedAt, &quote, &opportunity, &nos, &skus, &quantities, &amounts, &backQ, &backA)
	if errors.Is(err, pgx.ErrNoRows) {
		return Order{}, errNotFound
	}
	if err != nil {
		return Order{}, err
	}
	if customer != nil {
		o.CustomerID, o.Root = *customer, *root
	}
	if quote != nil {
		o.QuoteID = *quote
	}
	if opportunity != nil {
		o.OpportunityID = *opportunity
	}
	if system != nil {
		o.ExternalRef = externalref.Ref{System: *system, ID: *id}
	}
	if customerSystem != nil {
		o.CustomerRef = externalref.Ref{System: *customerSystem, ID: *customerRef}
	}
	o.PlacedAt, o.RecordedAt = o.PlacedAt.UTC(), o.RecordedAt.UTC()
	for i := range nos {
		o.Lines = append(o.Lines, Line{
			No: nos[i], SKU: skus[i], Quantity: quantities[i], AmountMinor: amounts[i], ReturnedQuantity: backQ[i], ReturnedMinor: backA[i],
		})
	}
	return o, nil
}

// saveReturn queues a return of an order that is locked, and what it leaves of the order.
func saveReturn(tx *pg.Tx, o Order, r Return) {
	var l lineArrays
	for _, line := range r.Lines {
		l.add(r.ID, Line{No: line.No, Quantity: line.Quantity, AmountMinor: line.AmountMinor})
	}
	tx.Queue(`INSERT INTO order_return (tenant_id, id, order_id, units, amount_minor, returned_at, recorded_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, tx.Tenant(), r.ID, o.ID, r.Units, r.AmountMinor, r.ReturnedAt, r.RecordedAt)
	tx.Queue(`INSERT INTO order_return_line (tenant_id, return_id, line_no, quantity, amount_minor)
		SELECT $1, $2, * FROM unnest($3::int[], $4::bigint[], $5::bigint[])`, tx.Tenant(), r.ID, l.nos, l.quantities, l.amounts)
	tx.Queue(`UPDATE order_line l SET returned_quantity = l.returned_quantity + n.quantity, returned_minor = l.returned_minor + n.amount
		FROM unnest($3::int[], $4::bigint[], $5::bigint[]) AS n(line_no, quantity, amount)
		WHERE l.tenant_id = $1 AND l.order_id = $2 AND l.line_no = n.line_no`, tx.Tenant(), o.ID, l.nos, l.quantities, l.amounts)
	tx.Queue(`UPDATE sales_order SET returned_units = $3, returned_minor = $4 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), o.ID, o.ReturnedUnits, o.ReturnedMinor)
}

// knownReturn is a return that is in the books; the zero knownReturn is none.
type knownReturn struct {
	orderID uuid.UUID
	amount  int64
}

// returnKey is the constraint that gives an id to one return only.
const returnKey = "order_return_pkey"

// findReturn queues the search for a return, of whatever order; it is filled in by the next round trip.
func findReturn(tx *pg.Tx, id uuid.UUID) *knownReturn {
	found := &knownReturn{}
	tx.Queue(`SELECT order_id, amount_minor FROM order_return WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id).
		QueryRow(func(row pgx.Row) error {
			err := row.Scan(&found.orderID, &found.amount)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		})
	return found
}

// getReturn gives a return of the order.
func getReturn(ctx context.Context, tx *pg.Tx, orderID, id uuid.UUID) (Return, error) {
	rows, err := tx.Query(ctx, `SELECT r.units, r.amount_minor, r.returned_at, r.recorded_at, l.line_no, l.quantity, l.amount_minor, o.sku
		FROM order_return r
		JOIN order_return_line l ON l.tenant_id = r.tenant_id AND l.return_id = r.id
		JOIN order_line o ON o.tenant_id = r.tenant_id AND o.order_id = r.order_id AND o.line_no = l.line_no
		WHERE r.tenant_id = $1 AND r.order_id = $2 AND r.id = $3 ORDER BY l.line_no`, tx.Tenant(), orderID, id)
	if err != nil {
		return Return{}, err
	}
	r, l := Return{ID: id}, ReturnLine{}
	_, err = pgx.ForEachRow(rows, []any{&r.Units, &r.AmountMinor, &r.ReturnedAt, &r.RecordedAt, &l.No, &l.Quantity, &l.AmountMinor, &l.SKU},
		func() error { r.Lines = append(r.Lines, l); return nil })
	if err == nil && len(r.Lines) == 0 {
		err = errNotFound
	}
	return r, err
}

// attribute gives the unresolved orders that use the names to their customers and tells which they were.
func attribute(ctx context.Context, tx *pg.Tx, customers map[externalref.Ref]uuid.UUID) (map[uuid.UUID]uuid.UUID, error) {
	var systems, refs []string
	var ids []uuid.UUID
	for ref, customer := range customers {
		systems, refs, ids = append(systems, ref.System), append(refs, ref.ID), append(ids, customer)
	}
	rows, err := tx.Query(ctx, `UPDATE sales_order o SET customer_id = n.customer_id
		FROM unnest($2::text[], $3::text[], $4::uuid[]) AS n(system, external_id, customer_id)
		WHERE o.tenant_id = $1 AND o.customer_system = n.system AND o.customer_external_id = n.external_id AND o.customer_id IS NULL
		RETURNING o.id, o.customer_id`, tx.Tenant(), systems, refs, ids)
	if err != nil {
		return nil, err
	}
	attributed := make(map[uuid.UUID]uuid.UUID)
	var order, customer uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&order, &customer}, func() error { attributed[order] = customer; return nil })
	return attributed, err
}

// summarise gives the figures of each currency, by its code.
func summarise(ctx context.Context, tx *pg.Tx) ([]Figures, error) {
	rows, err := tx.Query(ctx, `SELECT currency, count(*), count(*) FILTER (WHERE customer_id IS NULL), sum(units)::bigint,
			sum(total_minor)::bigint, sum(returned_units)::bigint, sum(returned_minor)::bigint
		FROM sales_order WHERE tenant_id = $1 GROUP BY currency ORDER BY currency`, tx.Tenant())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Figures])
}

// eraseNames queues that the orders of the customers no longer say by which names other systems know them. What was bought
// stays, under the customer's id. It gives the names after the next round trip.
func eraseNames(tx *pg.Tx, customers []uuid.UUID) (erased *[]string) {
	erased = new([]string)
	tx.Queue(`UPDATE sales_order o SET customer_system = NULL, customer_external_id = NULL
		FROM sales_order was WHERE o.tenant_id = $1 AND o.customer_id = ANY($2::uuid[]) AND o.customer_system IS NOT NULL
			AND was.tenant_id = o.tenant_id AND was.id = o.id
		RETURNING was.customer_external_id`, tx.Tenant(), customers).
		Query(func(rows pgx.Rows) (err error) {
			*erased, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
	return erased
}

// namesLeft queues how many names of the customers still stand somewhere: in orders, and among those that are known.
func namesLeft(tx *pg.Tx, customers []uuid.UUID) (orders, known *int64) {
	orders, known = new(int64), new(int64)
	tx.Queue(`SELECT count(*) FILTER (WHERE customer_system IS NOT NULL),
			(SELECT count(*) FROM customer_ref WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]))
		FROM sales_order WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])`, tx.Tenant(), customers).
		QueryRow(func(row pgx.Row) error { return row.Scan(orders, known) })
	return orders, known
}
