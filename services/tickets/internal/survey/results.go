package survey

import (
	"context"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Result is what the answers of a period, or of a part of it, come to.
type Result struct {
	Group                   string // the touchpoint, or the day with which the part begins
	Sent, Bounced, Answered int    // invitations that were sent in the period
	Answers                 int    // that were given in the period
	Rate                    *float64
	Score                   *Interval // nil of questionnaires, and where there is not enough data
	Enough                  bool
}

// QuestionResult is what the answers to one question come to.
type QuestionResult struct {
	Question
	N       int
	Enough  bool
	Counts  []Count // nil in anonymous mode while there is not enough data
	Mean    *float64
	Better  *float64 // of a Kano pair; so is the next
	Worse   *float64
	Is      *float64 // of an ideal question, the means; so are the next two
	Should  *float64
	MeanGap *float64
}

// Count is how often an answer was given.
type Count struct {
	Part  string
	Value string
	N     int
}

// Dimension is what the questions that measure something together come to.
type Dimension struct {
	Code   string
	Mean   *float64
	Enough bool
}

// Results are all of that.
type Results struct {
	Survey     Survey
	Total      Result
	Groups     []Result
	Questions  []QuestionResult
	Dimensions []Dimension
	Index      *float64 // 0 to 100, where all three items of the customer satisfaction index are asked
	Distance   *float64 // from the ideal product, where ideal questions are asked
}

// Results counts the answers of a survey.
func (s *Surveys) Results(ctx context.Context, w Wanted) (r Results, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if r.Survey, err = loadSurvey(ctx, tx, w.Survey, 0, false); err != nil {
			return err
		}
		whole := w
		whole.Group = ""
		total, groups := tally(tx, whole), map[string]*counts{}
		if w.Group != "" {
			groups = tally(tx, w)
		}
		spread, worded, err := spreads(ctx, tx, whole)
		if err != nil {
			return err
		}
		questions, err := allQuestions(ctx, tx, w.Survey)
		if err != nil {
			return err
		}
		r.Total = Result{Enough: false}
		if c := total[""]; c != nil {
			r.Total = r.Survey.result(*c)
		}
		for _, c := range groups {
			r.Groups = append(r.Groups, r.Survey.result(*c))
		}
		slices.SortFunc(r.Groups, func(a, b Result) int { return compare(a.Group, b.Group) })
		for _, q := range questions {
			r.Questions = append(r.Questions, q.result(spread, worded[q.Code], r.Survey.Anonymous))
		}
		r.sum()
		return nil
	})
	return r, err
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (s Survey) result(c counts) Result {
	r := Result{Group: c.group, Sent: c.sent, Bounced: c.bounced, Answered: c.answered, Answers: c.answers, Enough: c.answers >= Enough}
	if rate, ok := ResponseRate(c.answered, c.sent, c.bounced); ok {
		r.Rate = &rate
	}
	if v, _, ok := Measure(s.Kind, c.scores); ok {
		r.Score = &v
	}
	return r
}

func (q Question) result(all map[questionPart]spread, worded int, anonymous bool) QuestionResult {
	r := QuestionResult{Question: q}
	whole := all[questionPart{q.Code, ""}]
	switch q.Kind {
	case Text:
		r.N = worded
	case Single:
		for _, n := range whole.choices {
			r.N += n
		}
		r.Counts = counted("", whole, q)
	case Multiple: // the choices are more than those who chose
		for _, n := range all[questionPart{q.Code, partChosen}].numbers {
			r.N += n
		}
		r.Counts = counted("", whole, q)
	case Kano:
		categories := all[questionPart{q.Code, partCategory}]
		byCategory := map[Category]int{}
		for category, n := range categories.choices {
			byCategory[Category(category)] = n
			r.N += n
		}
		r.Counts = counted(partCategory, categories, q)
		if better, worse, ok := Coefficients(byCategory); ok && r.N >= Enough {
			r.Better, r.Worse = &better, &worse
		}
	case Ideal:
		r.idealResult(all)
	default:
		m, n := mean(whole.numbers)
		r.N = n
		r.Counts = counted("", whole, q)
		if n >= Enough {
			r.Mean = &m
		}
	}
	r.Enough = r.N >= Enough
	if anonymous && !r.Enough {
		r.Counts = nil
	}
	return r
}

func (r *QuestionResult) idealResult(all map[questionPart]spread) {
	for _, part := range []struct {
		name string
		to   **float64
	}{{partPerceived, &r.Is}, {partIdeal, &r.Should}, {partGap, &r.MeanGap}} {
		s := all[questionPart{r.Code, part.name}]
		m, n := mean(s.numbers)
		r.N = n
		r.Counts = append(r.Counts, counted(part.name, s, r.Question)...)
		if n >= Enough {
			*part.to = &m
		}
	}
}

// counted lists how often each answer was given: options in their order, numbers rising, those that nobody chose as well.
func counted(part string, s spread, q Question) (all []Count) {
	switch {
	case part == partCategory:
		for _, c := range []Category{MustBe, OneDimensional, Attractive, Indifferent, Reverse, Questionable} {
			all = append(all, Count{part, string(c), s.choices[string(c)]})
		}
	case len(q.Options) > 0:
		for _, o := range q.Options {
			all = append(all, Count{part, o.Code, s.choices[o.Code]})
		}
	default:
		from, to := q.Min, q.Max
		if part == partGap {
			from, to = 0, q.Max-q.Min
		}
		for n := from; n <= to; n++ {
			all = append(all, Count{part, strconv.Itoa(n), s.numbers[n]})
		}
	}
	return all
}

// sum puts questions together: dimensions, the index and the distance from the ideal. Each needs all of its questions.
func (r *Results) sum() {
	means := map[string][]float64{}
	missing := map[string]bool{}
	var codes []string
	var items []Item
	roles := map[string]bool{}
	var attributes []Attribute
	ideals := 0
	for _, q := range r.Questions {
		if q.Dimension != "" {
			if !slices.Contains(codes, q.Dimension) {
				codes = append(codes, q.Dimension)
			}
			if q.Mean == nil {
				missing[q.Dimension] = true
			} else {
				means[q.Dimension] = append(means[q.Dimension], *q.Mean)
			}
		}
		if q.Kind == ACSI && q.Mean != nil {
			items = append(items, Item{*q.Mean, q.Weight})
			roles[q.Role] = true
		}
		if q.Kind == Ideal {
			ideals++
			if q.MeanGap != nil {
				attributes = append(attributes, Attribute{q.Weight, *q.MeanGap})
			}
		}
	}
	for _, code := range codes {
		d := Dimension{Code: code, Enough: !missing[code]}
		if d.Enough {
			m := pooled(means[code])
			d.Mean = &m
		}
		r.Dimensions = append(r.Dimensions, d)
	}
	if len(roles) == 3 && len(items) == 3 {
		index := Index(items)
		r.Index = &index
	}
	if ideals > 0 && len(attributes) == ideals {
		distance := Distance(attributes)
		r.Distance = &distance
	}
}

// answersOf tells which survey it is, and whether its single answers may be shown: in anonymous mode only among many, since
// the one answer to the one invitation leads back to whoever was asked.
func (s *Surveys) answersOf(ctx context.Context, id uuid.UUID) (of Survey, ok bool, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if of, err = loadSurvey(ctx, tx, id, 0, false); err != nil || !of.Anonymous {
			return err
		}
		var n int
		err := tx.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM survey_answer WHERE tenant_id = $1 AND survey_id = $2 LIMIT $3) a`,
			tx.Tenant(), id, Enough).Scan(&n)
		ok = n >= Enough
		return err
	})
	return of, ok || !of.Anonymous, err
}
