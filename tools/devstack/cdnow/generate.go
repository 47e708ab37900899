package cdnow

//go:generate sh -c "go run ../gensynthetic > synthetic.tmp && mv synthetic.tmp synthetic.txt"

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// Generate writes a synthetic history of n customers, always the same for the same n.
//
// Each customer first buys on a day of the first three months of 1997, as in the original, and then comes back after
// exponentially distributed pauses until an exponentially distributed lifetime or the end of June 1998 ends it; a
// basket has one CD and, geometrically distributed, further ones at about 13 dollars each. Some lines stand there
// twice and some values are zero, since the original has both. Regenerate synthetic.txt with `go generate`.
func Generate(w io.Writer, n int) error {
	random := rand.New(rand.NewPCG(1997, 1998))
	first := time.Date(1997, 1, 1, 0, 0, 0, 0, time.UTC)
	last := time.Date(1998, 6, 30, 0, 0, 0, 0, time.UTC)
	out := bufio.NewWriter(w)
	_, _ = fmt.Fprint(out, " customer_id  date number_of_cds  dollar_value\r\n")
	for customer := 1; customer <= n; customer++ {
		day := first.AddDate(0, 0, random.IntN(84))
		pause := 20 + random.ExpFloat64()*70
		end := day.AddDate(0, 0, int(random.ExpFloat64()*180))
		for !day.After(last) && !day.After(end) {
			line := buy(random, customer, day)
			for range 1 + random.IntN(200)/199 {
				_, _ = out.WriteString(line)
			}
			day = day.AddDate(0, 0, 1+int(random.ExpFloat64()*pause))
		}
	}
	return out.Flush() // the first failed write, if any, shows here
}

func buy(random *rand.Rand, customer int, day time.Time) string {
	units := 1
	for random.Float64() < 0.55 && units < 40 {
		units++
	}
	cents := 0
	if random.IntN(400) > 0 {
		prices := []int{949, 1199, 1299, 1377, 1496, 1677}
		for range units {
			cents += prices[random.IntN(len(prices))]
		}
	}
	return fmt.Sprintf(" %05d %s %2d %4d.%02d\r\n", customer, day.Format("20060102"), units, cents/100, cents%100)
}
