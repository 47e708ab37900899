package value

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

// positive draws a parameter between 0.05 and 50, even over its logarithm.
func positive(t *rapid.T, name string) float64 {
	return math.Exp(rapid.Float64Range(math.Log(0.05), math.Log(50)).Draw(t, name))
}

func historyOfAny(t *rapid.T, most int64) History {
	h := History{X: rapid.Int64Range(0, most).Draw(t, "x"), Age: float64(rapid.IntRange(1, 2000).Draw(t, "age")) / 7}
	if h.X > 0 {
		h.Recency = h.Age * rapid.Float64Range(0.01, 1).Draw(t, "recency")
	}
	return h
}

// slopes holds the derivative of a likelihood against central differences of its value.
func slopes(t *rapid.T, l likelihood, params []float64) {
	got := make([]float64, len(params))
	l.sum(params, got)
	value := func(p []float64) float64 { return l.sum(p, make([]float64, len(p))) }
	step := make([]float64, len(params))
	for i := range params {
		h := 1e-5 * params[i]
		p := append([]float64(nil), params...)
		step[i] = fd.Derivative(func(v float64) float64 { p[i] = v; return value(p) }, params[i], &fd.Settings{Formula: fd.Central, Step: h})
		p[i] = params[i]
		if scale := math.Abs(value(params))/params[i]*1e-5 + math.Abs(step[i])*1e-4 + 1e-4; math.Abs(got[i]-step[i]) > scale {
			t.Fatalf("derivative %d at %v is %g, by differences %g", i, params, got[i], step[i])
		}
	}
}

func TestDerivativesAreThoseOfTheLikelihoods(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var all []Group
		var spends []Spend
		var terms []Term
		for range 3 {
			all = append(all, Group{historyOfAny(t, 30), rapid.Int64Range(1, 9).Draw(t, "n")})
			spends = append(spends, Spend{rapid.Int64Range(1, 30).Draw(t, "repeats"), positive(t, "m")})
			terms = append(terms, Term{rapid.IntRange(1, 20).Draw(t, "t"), rapid.Int64Range(0, 9).Draw(t, "lost"), rapid.Int64Range(0, 9).Draw(t, "stayed")})
		}
		four := []float64{positive(t, "1"), positive(t, "2"), positive(t, "3"), positive(t, "4")}
		slopes(t, bgnbdRows{index(all)}, four)
		slopes(t, paretoRows{index(all)}, four)
		slopes(t, indexSpends(spends), four[:3])
		slopes(t, termRows(terms), four[:2])
	})
}

func TestLikelihoodsAreFiniteForLargeCounts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := []Group{{historyOfAny(t, 10_000), 1}}
		params := []float64{positive(t, "1"), positive(t, "2"), positive(t, "3"), positive(t, "4")}
		for _, l := range []likelihood{bgnbdRows{index(all)}, paretoRows{index(all)}, indexSpends([]Spend{{max(all[0].X, 1), 12.5}})} {
			k := len(params)
			if _, ok := l.(spendRows); ok {
				k = 3
			}
			grad := make([]float64, k)
			for _, v := range append([]float64{l.sum(params[:k], grad)}, grad...) {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("%T at %v of %v: %v", l, params, all[0], v)
				}
			}
		}
		for _, m := range []purchaseModel{BGNBD{params[0], params[1], params[2], params[3]}, ParetoNBD{params[0], params[1], params[2], params[3]}} {
			alive, expected := m.Alive(all[0].History), m.Expected(all[0].History, 39)
			if !(alive >= 0 && alive <= 1) || !(expected >= 0) || math.IsInf(expected, 0) {
				t.Fatalf("%v of %v: alive %v, expected %v", m, all[0], alive, expected)
			}
		}
	})
}

func TestGroupsSayWhatTheirCustomersSay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var each []Group
		for range rapid.IntRange(1, 40).Draw(t, "customers") {
			h := History{X: rapid.Int64Range(0, 2).Draw(t, "x"), Age: float64(rapid.IntRange(5, 7).Draw(t, "age"))}
			if h.X > 0 {
				h.Recency = float64(rapid.IntRange(1, 3).Draw(t, "recency"))
			}
			each = append(each, Group{h, 1})
		}
		params := []float64{positive(t, "1"), positive(t, "2"), positive(t, "3"), positive(t, "4")}
		together := groups(each)
		for _, pair := range [][2]likelihood{{bgnbdRows{index(each)}, bgnbdRows{index(together)}}, {paretoRows{index(each)}, paretoRows{index(together)}}} {
			a, b := make([]float64, 4), make([]float64, 4)
			va, vb := pair[0].sum(params, a), pair[1].sum(params, b)
			if pair[0].weight() != pair[1].weight() || math.Abs(va-vb) > 1e-9*math.Abs(va) {
				t.Fatalf("%v and %v", va, vb)
			}
		}
	})
}

func TestAnotherUnitOfTimeOrMoneyChangesNothingElse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r, alpha, a, b := positive(t, "r"), positive(t, "alpha"), positive(t, "a"), positive(t, "b")
		h := historyOfAny(t, 40)
		days := History{h.X, h.Recency * 7, h.Age * 7}
		near := func(what string, one, two float64) {
			if math.Abs(one-two) > 1e-8*(1+math.Abs(one)) {
				t.Fatalf("%s: %v in weeks, %v in days", what, one, two)
			}
		}
		weekly, daily := BGNBD{r, alpha, a, b}, BGNBD{r, 7 * alpha, a, b}
		near("alive", weekly.Alive(h), daily.Alive(days))
		near("expected", weekly.Expected(h, 39), daily.Expected(days, 273))
		near("count", weekly.Count(3, 39), daily.Count(3, 273))
		pw, pd := ParetoNBD{r, alpha, a, b}, ParetoNBD{r, 7 * alpha, a, 7 * b}
		near("alive", pw.Alive(h), pd.Alive(days))
		near("expected", pw.Expected(h, 39), pd.Expected(days, 273))
		near("count", pw.Count(3, 39), pd.Count(3, 273))
		dollars, cents := GammaGamma{r, 1 + a, b}, GammaGamma{r, 1 + a, 100 * b}
		one, _ := dollars.Expected(Spend{h.X, 12.5})
		two, _ := cents.Expected(Spend{h.X, 1250})
		near("spend", 100*one, two)
	})
}

func TestExpectedPurchasesAreThoseOfThePaper(t *testing.T) {
	t.Parallel()
	m := BGNBD{0.243, 4.414, 0.793, 2.426}
	for _, h := range []History{{0, 0, 38.86}, {2, 30.43, 38.86}, {7, 20, 30}, {26, 30.86, 31}} {
		for _, horizon := range []float64{0.5, 39, 200} {
			x := float64(h.X)
			z := horizon / (m.Alpha + h.Age + horizon)
			f := mathext.Hypergeo(m.R+x, m.B+x, m.A+m.B+x-1, z)
			want := (m.A + m.B + x - 1) / (m.A - 1) * (1 - math.Pow((m.Alpha+h.Age)/(m.Alpha+h.Age+horizon), m.R+x)*f) * m.Alive(h)
			if got := m.Expected(h, horizon); math.Abs(got-want) > 1e-9*(1+want) {
				t.Errorf("%+v within %v: got %v, the paper's equation gives %v", h, horizon, got, want)
			}
		}
	}
	// Where a is 1 the equation is 0/0; its neighbours close in on the value.
	at, below, above := BGNBD{1, 5, 1, 2}, BGNBD{1, 5, 1 - 1e-7, 2}, BGNBD{1, 5, 1 + 1e-7, 2}
	h := History{3, 10, 20}
	if got, want := at.Expected(h, 30), (below.Expected(h, 30)+above.Expected(h, 30))/2; math.Abs(got-want) > 1e-6*want {
		t.Errorf("at a = 1: %v between %v", got, want)
	}
	// With a + b below 1 the series of the paper has a parameter below 0.
	if got := (BGNBD{0.5, 3, 0.2, 0.3}).New(50); !(got > 0 && got < 50) {
		t.Errorf("a + b < 1: %v", got)
	}
}

func TestCountsAddUp(t *testing.T) {
	t.Parallel()
	for _, m := range []purchaseModel{BGNBD{0.243, 4.414, 0.793, 2.426}, BGNBD{3, 20, 0.5, 4}, ParetoNBD{0.553, 10.578, 0.606, 11.669}, ParetoNBD{2, 5, 3, 0.5}} {
		for _, horizon := range []float64{1, 39, 100} {
			all, mean := 0.0, 0.0
			for x := range 1500 {
				p := m.Count(x, horizon)
				all += p
				mean += float64(x) * p
			}
			if math.Abs(all-1) > 1e-6 || math.Abs(mean-m.New(horizon)) > 1e-4*(1+mean) {
				t.Errorf("%+v within %v: chances add up to %v, the mean is %v, expected %v", m, horizon, all, mean, m.New(horizon))
			}
		}
	}
}

func TestTheIntegralOfThoseWhoWentIsRightWhereItIsHard(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ alpha, beta, k, s, a, b float64 }{
		{10.578, 11.669, 2.553, 0.606, 30.43, 38.86},
		{10, 0.01, 0.5, 0.6, 0, 39},
		{0.01, 10, 0.5, 0.6, 0, 39},
		{100, 0.001, 50, 3, 0.2, 100},
		{5, 5, 10_000, 1, 20, 39},
		{40, 0.5, 3000, 20, 1, 50},
		{1, 1000, 0.05, 0.05, 0, 5000},
		{3, 7, 4, 2, 38.9, 39},
	} {
		got, la, _, ia, _ := gone(c.alpha, c.beta, c.k, c.s, c.a, c.b)
		// Slowly: a great many pieces, even over log(τ − a).
		base := -c.k*math.Log(c.alpha+c.a) - (c.s+1)*math.Log(c.beta+c.a)
		var sum, meanLog, meanInverse float64
		lowest, pieces := math.Log((c.b-c.a)*1e-12), 4000.0
		width := (math.Log(c.b-c.a) - lowest) / pieces
		for i := range int(pieces) {
			from := lowest + float64(i)*width
			part := func(weigh func(tau float64) float64) float64 {
				return quad.Fixed(func(u float64) float64 {
					tau := c.a + math.Exp(u)
					return weigh(tau) * math.Exp(u-c.k*math.Log(c.alpha+tau)-(c.s+1)*math.Log(c.beta+tau)-base)
				}, from, from+width, 6, quad.Legendre{}, 0)
			}
			sum += part(func(float64) float64 { return 1 })
			meanLog += part(func(tau float64) float64 { return math.Log(c.alpha + tau) })
			meanInverse += part(func(tau float64) float64 { return 1 / (c.alpha + tau) })
		}
		if want := base + math.Log(sum); math.Abs(got-want) > 1e-7 || math.Abs(la-meanLog/sum) > 1e-6 || math.Abs(ia-meanInverse/sum) > 1e-6*ia {
			t.Errorf("%+v: got %v, %v, %v; slowly %v, %v, %v", c, got, la, ia, want, meanLog/sum, meanInverse/sum)
		}
	}
}

func TestSimulatedCustomersGiveTheirParametersBack(t *testing.T) {
	t.Parallel()
	src := rand.NewPCG(19, 97)
	random := rand.New(src)
	truth := BGNBD{0.6, 6, 0.7, 2.5}
	var all []Group
	for range 20_000 {
		rate := distuv.Gamma{Alpha: truth.R, Beta: truth.Alpha, Src: src}.Rand()
		leaves := distuv.Beta{Alpha: truth.A, Beta: truth.B, Src: src}.Rand()
		h := History{Age: float64(27*7+random.IntN(84)) / 7}
		for at := random.ExpFloat64() / rate; at < h.Age; at += random.ExpFloat64() / rate {
			h.X++
			h.Recency = at
			if random.Float64() < leaves {
				break
			}
		}
		all = append(all, Group{h, 1})
	}
	_, e := fitBGNBD(groups(all))
	recovered(t, "BG/NBD", e, []float64{truth.R, truth.Alpha, truth.A, truth.B})

	spend := GammaGamma{6, 4, 15}
	var spends []Spend
	for range 10_000 {
		rate := distuv.Gamma{Alpha: spend.Q, Beta: spend.Gamma, Src: src}.Rand()
		x := 1 + random.Int64N(6)
		spends = append(spends, Spend{x, distuv.Gamma{Alpha: spend.P * float64(x), Beta: rate * float64(x), Src: src}.Rand()})
	}
	_, e = fitGammaGamma(spends)
	recovered(t, "Gamma-Gamma", e, []float64{spend.P, spend.Q, spend.Gamma})

	pareto := ParetoNBD{0.8, 8, 0.9, 15}
	all = all[:0]
	for range 6000 {
		rate := distuv.Gamma{Alpha: pareto.R, Beta: pareto.Alpha, Src: src}.Rand()
		lives := random.ExpFloat64() / distuv.Gamma{Alpha: pareto.S, Beta: pareto.Beta, Src: src}.Rand()
		h := History{Age: float64(27*7+random.IntN(84)) / 7}
		for at := random.ExpFloat64() / rate; at < min(h.Age, lives); at += random.ExpFloat64() / rate {
			h.X++
			h.Recency = at
		}
		all = append(all, Group{h, 1})
	}
	_, e = fitParetoNBD(groups(all))
	recovered(t, "Pareto/NBD", e, []float64{pareto.R, pareto.Alpha, pareto.S, pareto.Beta})

	contract := SBG{0.7, 2.2}
	lost := make([]int64, 9)
	for range 20_000 {
		leaves := distuv.Beta{Alpha: contract.Alpha, Beta: contract.Beta, Src: src}.Rand()
		n := 1
		for n < 9 && random.Float64() >= leaves {
			n++
		}
		lost[n-1]++ // the last: those who stayed at the eighth renewal
	}
	var terms []Term
	for i := range 8 {
		terms = append(terms, Term{T: i + 1, Lost: lost[i]})
	}
	terms[7].Stayed = lost[8]
	_, e = fitSBG(terms)
	recovered(t, "sBG", e, []float64{contract.Alpha, contract.Beta})
}

// recovered fails where an estimate is not within four of its standard errors of the truth.
func recovered(t *testing.T, what string, e estimate, truth []float64) {
	t.Helper()
	if !e.converged || e.errors == nil {
		t.Fatalf("%s: %+v", what, e)
	}
	for i, want := range truth {
		if math.Abs(e.params[i]-want) > 4*e.errors[i] || e.errors[i] > want {
			t.Errorf("%s: parameter %d is %v ± %v, made with %v", what, i, e.params[i], e.errors[i], want)
		}
	}
}

func TestPublishedContractsAreReached(t *testing.T) {
	t.Parallel()
	// Fader, Hardie (2007), Figure 1 and Appendix B: customers of a thousand that are left after each year.
	for _, c := range []struct {
		name              string
		survivors         []int64
		alpha, beta, logL float64
		year12            float64 // share that is left then, observed
	}{
		{"high end", []int64{1000, 869, 743, 653, 593, 551, 517, 491}, 0.668, 3.806, -1611.2, 0.394},
		{"regular", []int64{1000, 631, 468, 382, 326, 289, 262, 241}, 0.704, 1.182, -1680.3, 0.173},
	} {
		byPeriod := make(map[int]int64)
		for i, n := range c.survivors {
			byPeriod[i] = n
		}
		terms, err := termsOfSurvivors(byPeriod)
		if err != nil {
			t.Fatal(err)
		}
		m, e := fitSBG(terms)
		if math.Abs(m.Alpha-c.alpha) > 0.0006 || math.Abs(m.Beta-c.beta) > 0.0006 || math.Abs(e.logLikelihood-c.logL) > 0.06 {
			t.Errorf("%s: %+v, log-likelihood %v", c.name, m, e.logLikelihood)
		}
		if got := m.Survival(12); math.Abs(got-c.year12) > 0.02 {
			t.Errorf("%s: %v are left after twelve years, observed %v", c.name, got, c.year12)
		}
		if m.Retention(1) >= m.Retention(2) {
			t.Errorf("%s: retention does not rise", c.name)
		}
	}
	// Fader, Hardie (2010): without discount and end the sum of survival is that of the model itself.
	m, sum := SBG{0.668, 3.806}, 0.0
	for t := 1; t <= 50; t++ {
		sum += m.Survival(3+t) / m.Survival(3) / math.Pow(1.1, float64(t-1))
	}
	if got := m.Residual(3, 0.1, 50); math.Abs(got-sum) > 1e-9 {
		t.Errorf("residual terms %v, want %v", got, sum)
	}
}

func TestSpendsAreSpreadAsTheModelSays(t *testing.T) {
	t.Parallel()
	src := rand.NewPCG(1, 9)
	m := GammaGamma{6, 4, 15}
	n, below := 40_000, 0
	for range n {
		rate := distuv.Gamma{Alpha: m.Q, Beta: m.Gamma, Src: src}.Rand()
		if (distuv.Gamma{Alpha: m.P * 3, Beta: rate * 3, Src: src}).Rand() < 25 {
			below++
		}
	}
	share, want := float64(below)/float64(n), m.below(3, 25)
	if math.Abs(share-want) > 4*math.Sqrt(want*(1-want)/float64(n)) {
		t.Errorf("%v lie below, the model says %v", share, want)
	}
}

func TestParametersThatTheDataDoNotTellAreSaidToHaveRunAway(t *testing.T) {
	t.Parallel()
	src := rand.NewPCG(3, 9)
	random := rand.New(src)
	var all []Group
	for range 3000 { // customers who never go: a and b are not told apart from nobody's going
		h := History{Age: 52}
		rate := distuv.Gamma{Alpha: 1, Beta: 10, Src: src}.Rand()
		for at := random.ExpFloat64() / rate; at < h.Age; at += random.ExpFloat64() / rate {
			h.X++
			h.Recency = at
		}
		all = append(all, Group{h, 1})
	}
	m, e := fitBGNBD(groups(all))
	if !e.edge || len(e.warnings()) == 0 {
		t.Errorf("%+v", e)
	}
	if math.Abs(m.R-1) > 0.1 || math.Abs(m.Alpha-10) > 1.5 {
		t.Errorf("what the data tell is lost: %+v", m)
	}
	if got := m.Expected(History{X: 5, Recency: 50, Age: 52}, 62); math.Abs(got-6) > 0.3 { // (r + x)/(alpha + T) · t
		t.Errorf("expected %v", got)
	}
}
