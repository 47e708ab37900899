package metric

import (
	"fmt"
	"slices"
	"strings"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/filter"
)

// statement is the question to one source. Its columns are the first day of the period (null before the first one, of levels),
// one for each dimension, and one for each measure.
type statement struct {
	sql  string
	args []any
}

// builder writes a statement.
type builder struct {
	p        plan
	src      source
	merged   bool // some customers are merged: whom an id means has to be looked up
	args     []any
	currency string
	root     string
}

func (b *builder) arg(v any) string {
	b.args = append(b.args, v)
	return fmt.Sprintf("$%d", len(b.args))
}

// statementFor asks the source for its measures. limit is of rows.
func (p plan) statementFor(name, tenant, currency string, span Span, merged bool, limit int) (statement, error) {
	names := p.sources[name]
	src := p.measures[names[0]].source
	b := &builder{p: p, src: src, merged: merged && (src.customer != "" || src.portrait), args: []any{tenant}, currency: currency}
	if !src.now() {
		b.args = append(b.args, span.From, span.To.AddDate(0, 0, 1))
	}
	b.root = src.customer
	if src.portrait {
		b.root = "portrait.customer_id"
	} else if b.merged {
		b.root = "coalesce(a.root_id, " + src.customer + ")"
	}
	with := ""
	if b.merged && !src.portrait {
		with = "WITH alias AS MATERIALIZED (SELECT customer_id, root_id FROM customer_aliases($1)) "
	}
	if src.once {
		b.dedupe()
		src = b.src
	}
	columns, groups := b.columns()
	var aggregates []string
	needsPortrait := slices.ContainsFunc(columns, func(c string) bool { return strings.Contains(c, "portrait.") })
	for _, m := range names {
		sql := b.fill(p.measures[m].sql)
		needsPortrait = needsPortrait || strings.Contains(sql, "portrait.")
		aggregates = append(aggregates, "coalesce("+sql+", 0)::double precision")
	}
	conditions, err := b.conditions()
	if err != nil {
		return statement{}, err
	}
	needsPortrait = needsPortrait || strings.Contains(conditions, "portrait.") && !src.portrait
	var s strings.Builder
	fmt.Fprintf(&s, "%sSELECT %s FROM %s%s", with, strings.Join(append(columns, aggregates...), ", "), src.from, b.aliases())
	if needsPortrait && !src.portrait {
		s.WriteString(" LEFT JOIN portrait ON portrait.tenant_id = $1 AND portrait.customer_id = " + b.root)
	}
	s.WriteString(" WHERE " + conditions)
	if len(groups) > 0 {
		s.WriteString(" GROUP BY " + strings.Join(groups, ", "))
	}
	fmt.Fprintf(&s, " LIMIT %d", limit)
	return statement{s.String(), b.args}, nil
}

// aliases joins whom the source's ids mean, where some are merged.
func (b *builder) aliases() string {
	if !b.merged || b.src.portrait {
		return ""
	}
	return " LEFT JOIN alias a ON a.customer_id = " + b.src.customer
}

// dedupe puts in the place of the source its customers, each once in a period and in each value of what is cut by: then little is left
// to be joined with portraits and counted. What filters the source's own rows is done with.
func (b *builder) dedupe() {
	columns := []string{"$1::text AS tenant_id", b.period() + " AS day", b.root + " AS customer_id"}
	for _, d := range b.p.By {
		if sql, ok := b.src.by[d]; ok {
			columns = append(columns, sql)
		}
	}
	b.src.from = fmt.Sprintf("(SELECT DISTINCT %s FROM %s%s WHERE %s) f", strings.Join(columns, ", "), b.src.from, b.aliases(), strings.Join(b.own(), " AND "))
	b.src.at, b.src.day, b.root, b.merged = "", "f.day", "f.customer_id", false
}

// dayOf is the day of a row, in UTC.
func (s source) dayOf() string {
	if s.day != "" {
		return s.day
	}
	return "(" + s.at + " AT TIME ZONE 'UTC')::date"
}

// period is the expression of the first day of the period that a row belongs to.
func (b *builder) period() string {
	day := b.src.dayOf()
	switch b.p.Grain {
	case Whole:
		return "$2::date"
	case Day:
		return day
	default:
		return "date_trunc('" + string(b.p.Grain) + "', " + day + "::timestamp)::date"
	}
}

func (b *builder) columns() (columns, groups []string) {
	period := "NULL::date"
	if !b.src.now() {
		period = b.period()
		if b.src.level && b.p.Grain != Whole {
			period = "CASE WHEN " + b.src.dayOf() + " >= $2::date THEN " + period + " END"
		}
	}
	columns = append(columns, period)
	if b.p.Grain != Whole && !b.src.now() {
		groups = append(groups, "1")
	}
	for i, d := range b.p.By {
		columns = append(columns, b.dimension(d))
		groups = append(groups, fmt.Sprint(i+2))
	}
	return columns, groups
}

// dimension is the expression of a dimension's value, null where it is not known.
func (b *builder) dimension(code string) string {
	if sql, ok := b.src.by[code]; ok {
		return "nullif(" + sql + ", '')"
	}
	return "nullif(" + dimensionOf[code].column + ", '')"
}

// fill puts in what depends on the question.
func (b *builder) fill(sql string) string {
	if strings.Contains(sql, "{cur}") {
		cur := "true"
		if !slices.Contains(b.p.By, "currency") {
			cur = "f.currency = " + b.arg(b.currency)
		}
		sql = strings.ReplaceAll(sql, "{cur}", cur)
	}
	start := "$2::date"
	if b.p.Grain != Whole {
		start = "greatest(" + b.period() + ", $2::date)"
	}
	return strings.NewReplacer("{root}", b.root, "{start}", start).Replace(sql)
}

// own are the conditions on the source's rows: tenant, time, and filters on its own dimensions.
func (b *builder) own() []string {
	all := []string{b.src.tenant + " = $1"}
	switch {
	case b.src.now():
	case b.src.day != "":
		all = append(all, b.src.day+" >= $2::date", b.src.day+" < $3::date")
	default:
		if !b.src.level {
			all = append(all, b.src.at+" >= ($2::date)::timestamp AT TIME ZONE 'UTC'")
		} else {
			all = append(all, "$2::date IS NOT NULL")
		}
		all = append(all, b.src.at+" < ($3::date)::timestamp AT TIME ZONE 'UTC'")
	}
	if b.src.where != "" {
		all = append(all, b.src.where)
	}
	for _, f := range b.p.Filters {
		if _, own := b.src.by[f.Dimension]; own {
			all = append(all, b.filter(f))
		}
	}
	return all
}

func (b *builder) filter(f Filter) string {
	x := b.dimension(f.Dimension)
	switch f.Op {
	case Is:
		return x + " = ANY (" + b.arg(f.Values) + "::text[])"
	case IsNot:
		return "coalesce(" + x + " <> ALL (" + b.arg(f.Values) + "::text[]), true)"
	case Known:
		return x + " IS NOT NULL"
	default:
		return x + " IS NULL"
	}
}

func (b *builder) conditions() (string, error) {
	all := []string{"f.tenant_id = $1"}
	if !b.src.once {
		all = b.own()
	}
	for _, f := range b.p.Filters {
		if _, own := b.src.by[f.Dimension]; !own {
			all = append(all, b.filter(f))
		}
	}
	if b.p.Customers != nil {
		chosen, err := b.chosen(*b.p.Customers)
		if err != nil {
			return "", err
		}
		all = append(all, chosen)
	}
	return strings.Join(all, " AND "), nil
}

// chosen is the condition that a row's customer is among those whom the filter chooses. It looks at portraits on their own,
// since their columns are called as those of facts are.
func (b *builder) chosen(n filter.Node) (string, error) {
	today := b.arg(b.p.today) + "::date"
	sql, err := n.SQL(&b.args, today)
	if err != nil {
		return "", err
	}
	if !strings.Contains(sql, today) {
		today += " IS NOT NULL"
	} else {
		today = "true"
	}
	return b.root + " IN (SELECT portrait.customer_id FROM portrait WHERE portrait.tenant_id = $1 AND (" + sql + ") AND " + today + ")", nil
}
