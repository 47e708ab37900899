package value

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// million makes a million customers who began within four years, by days, as facts give them.
func million() []Group {
	src := rand.NewPCG(10, 6)
	random := rand.New(src)
	all := make([]Group, 1_000_000)
	for i := range all {
		rate := distuv.Gamma{Alpha: 0.6, Beta: 8, Src: src}.Rand()
		leaves := distuv.Beta{Alpha: 0.8, Beta: 3, Src: src}.Rand()
		h := History{Age: float64(1+random.IntN(4*365)) / 7}
		last := 0.0
		for at := random.ExpFloat64() / rate; at < h.Age; at += random.ExpFloat64() / rate {
			if day := math.Ceil(at*7) / 7; day > last && day <= h.Age {
				h.X++
				last = day
			}
			if random.Float64() < leaves {
				break
			}
		}
		h.Recency = last
		all[i] = Group{h, 1}
	}
	return all
}

// BenchmarkFitAMillion fits BG/NBD to a million customers, putting equal ones together included. The ratio to one look at all rows
// says how good the search is, whatever the machine.
func BenchmarkFitAMillion(b *testing.B) {
	rows := million()
	for b.Loop() {
		begin := time.Now()
		_, e := fitBGNBD(groups(rows))
		whole := time.Since(begin)
		if !e.converged || e.errors == nil {
			b.Fatalf("%+v", e)
		}
		one := index(rows)
		begin = time.Now()
		bgnbdRows{one}.sum(e.params, make([]float64, 4))
		b.ReportMetric(whole.Seconds(), "s/fit")
		b.ReportMetric(whole.Seconds()/time.Since(begin).Seconds(), "looks/fit")
		b.ReportMetric(float64(e.evaluations), "evaluations")
	}
}

// BenchmarkForetell reckons what 100,000 histories bring within three years, month by month.
func BenchmarkForetell(b *testing.B) {
	rows := groups(million()[:100_000])
	m, set := BGNBD{0.6, 8, 0.8, 3}, Defaults()
	for b.Loop() {
		for _, g := range rows {
			foretell(m, g.History, set)
		}
	}
	b.ReportMetric(float64(len(rows)), "histories")
}
