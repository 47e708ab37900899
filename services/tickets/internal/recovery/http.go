package recovery

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/proportion"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/survey"
)

type recoveryInput struct {
	From    time.Time `query:"from" doc:"Only complaints that ended from then on."`
	To      time.Time `query:"to" doc:"Only complaints that ended before."`
	Outcome string    `query:"outcome" maxLength:"64" default:"settled" doc:"Only those that ended so; any for all."`
}

type recoveryReport struct {
	AsOf         time.Time            `json:"as_of"`
	PurchasesAt  *time.Time           `json:"purchases_as_of,omitempty" doc:"How new what is known of purchases is; absent where nothing is."`
	Customers    int                  `json:"customers" doc:"Of whom a complaint ended at least 90 days ago, each with their first one; at most the latest 1000 complaints are looked at."`
	TooEarly     int                  `json:"too_early" doc:"Customers besides, for whom the 90 days are not over."`
	Repurchase   recoveryRepurchase   `json:"repurchase"`
	Satisfaction recoverySatisfaction `json:"satisfaction"`
	Costs        []recoveryCost       `json:"costs" nullable:"false" doc:"By currency; nothing is converted."`
	Method       recoveryMethod       `json:"method" doc:"How this was found, for whoever reads it."`
}

type recoveryInterval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low" doc:"Of the 95 % interval."`
	High  float64 `json:"high"`
}

type recoveryRepurchase struct {
	Verdict    string            `json:"verdict" enum:"enough,not_enough_data" doc:"Under 30 pairs there is not enough data."`
	Pairs      int               `json:"pairs" doc:"Of somebody who complained with somebody alike who did not."`
	Unmatched  int               `json:"unmatched" doc:"Who complained, and nobody is alike."`
	Complained *recoveryInterval `json:"complained,omitempty" doc:"Share who bought within 90 days of the end."`
	Matched    *recoveryInterval `json:"matched,omitempty" doc:"Share of those who did not complain."`
	Difference *recoveryInterval `json:"difference,omitempty" doc:"Complained less matched."`
}

type recoverySatisfaction struct {
	Verdict    string            `json:"verdict" enum:"enough,not_enough_data"`
	Pairs      int               `json:"pairs"`
	Unmatched  int               `json:"unmatched" doc:"Who complained and was asked before and after, and nobody is alike."`
	Before     *float64          `json:"before,omitempty" doc:"Mean score, 1 to 5, of those who complained: the last within a year before the complaint."`
	After      *float64          `json:"after,omitempty" doc:"The first within 90 days of the end. Answers about a complaint are left out of both."`
	Complained *recoveryInterval `json:"complained,omitempty" doc:"Mean change."`
	Matched    *recoveryInterval `json:"matched,omitempty" doc:"Mean change of those who did not complain."`
	Difference *recoveryInterval `json:"difference,omitempty" doc:"Complained less matched: above 0 is the recovery paradox."`
}

type recoveryCost struct {
	Currency      string            `json:"currency" doc:"ISO 4217."`
	TotalMinor    int64             `json:"total_minor" doc:"In minor units, as all of this."`
	Customers     int               `json:"customers"`
	Recovered     int               `json:"recovered" doc:"Who bought again within 90 days."`
	PerRecovered  *recoveryInterval `json:"per_recovered,omitempty" doc:"Absent while there is not enough data."`
	PerAdditional *recoveryInterval `json:"per_additional,omitempty" doc:"For each who bought again beyond as many as of the matched; absent unless there are more for sure. Its interval is that of the difference; the cost is taken as it is."`
}

type recoveryMethod struct {
	Matching     string `json:"matching"`
	Repurchase   string `json:"repurchase"`
	Satisfaction string `json:"satisfaction"`
	Cost         string `json:"cost"`
}

// method is what whoever reads the figures should know of them.
var method = recoveryMethod{
	Matching: "Each customer with one who never complained, nobody twice: in the same class of orders of the year before (0, 1, 2, 3-5, 6-10, more) and of " +
		"days since the last (30, 90, 180, more), nearest in both; for satisfaction in the same class of orders and with the same score before, nearest in its age. " +
		"Coarsened exact matching: Iacus, King, Porro, Political Analysis 20 (2012). Other differences between those who complain and those who do not remain.",
	Repurchase:   "Shares: Wilson (1927). Difference of paired shares: Newcombe, Statistics in Medicine 17 (1998) 2635-2650, method 10.",
	Satisfaction: "Means of paired differences: Student's t interval.",
	Cost:         "Ratio of two means: Cochran, Sampling techniques (1977), section 2.11.",
}

func interval(i *proportion.Interval) *recoveryInterval {
	if i == nil {
		return nil
	}
	return &recoveryInterval{i.Value, i.Low, i.High}
}

func verdict(enough bool) string {
	if enough {
		return "enough"
	}
	return "not_enough_data"
}

func show(r Report) recoveryReport {
	v := recoveryReport{AsOf: r.AsOf, PurchasesAt: pg.OrNull(r.PurchasesAt), Customers: r.Customers, TooEarly: r.TooEarly, Method: method,
		Repurchase: recoveryRepurchase{verdict(r.Repurchase.Enough), r.Repurchase.Pairs, r.Repurchase.Unmatched, interval(r.Repurchase.Complained),
			interval(r.Repurchase.Matched), interval(r.Repurchase.Difference)},
		Satisfaction: recoverySatisfaction{verdict(r.Satisfaction.Enough), r.Satisfaction.Pairs, r.Satisfaction.Unmatched, r.Satisfaction.Before,
			r.Satisfaction.After, interval(r.Satisfaction.Complained), interval(r.Satisfaction.Matched), interval(r.Satisfaction.Difference)},
		Costs: make([]recoveryCost, len(r.Costs))}
	for i, c := range r.Costs {
		v.Costs[i] = recoveryCost{c.Currency, c.TotalMinor, c.Customers, c.Recovered, interval(c.PerRecovered), interval(c.PerAdditional)}
	}
	return v
}

// Routes adds the operation on recovery.
func (r *Recoveries) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "get-complaint-recovery", Method: http.MethodGet, Path: "/v1/complaint-recovery", Tag: "Reports",
		Summary:     "Whether complaints that were dealt with left customers happier, and what that cost",
		Description: "Satisfaction before and after, repurchase within 90 days and cost for each who bought again, against matched customers who did not complain.",
		Permission:  auth.TicketsReport, Timeout: time.Minute,
	}, func(ctx context.Context, in *recoveryInput) (*struct{ Body recoveryReport }, error) {
		if in.Outcome == "any" {
			in.Outcome = ""
		}
		report, err := r.Report(ctx, survey.Period{From: in.From, To: in.To}, in.Outcome)
		if err != nil {
			return nil, err
		}
		return &struct{ Body recoveryReport }{show(report)}, nil
	})
}
