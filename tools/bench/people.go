package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"sort"
	"strings"
)

// person is one customer of a file that is made to measure with.
type person struct {
	Family, Given string
	Phone         string // E.164; empty: none
	Email, Card   string
	External      string // id in the shop, which everybody has
	Tags          string
}

// name is what the platform shows.
func (p person) name() string {
	if strings.ContainsFunc(p.Family, func(r rune) bool { return r > 0x2E7F }) {
		return p.Family + p.Given
	}
	return p.Given + " " + p.Family
}

// peopleSeed makes every run's people the same.
const peopleSeed = 20261126

// personAt gives the i-th person, from 0: the same in every run. Half of them have Chinese names, half English ones. Some
// share a telephone with the one before, as families do.
func personAt(i int) person {
	r := rand.New(rand.NewPCG(peopleSeed, uint64(i)))
	p := person{External: fmt.Sprintf("S%07d", i)}
	chinese := r.IntN(2) == 0
	if chinese {
		p.Family, p.Given = chineseFamily.pick(r), chineseGiven(r)
	} else {
		p.Family, p.Given = englishFamily(r), englishGivenNames.pick(r)
	}
	if r.IntN(100) < 92 {
		p.Phone = phoneOf(i, chinese)
	}
	if i > 0 && r.IntN(100) < 8 {
		p.Phone = phoneOf(i-1, chinese)
	}
	switch {
	case r.IntN(100) >= 70:
	case chinese: // the number of an account, as is usual there
		p.Email = fmt.Sprintf("%d@qq.com", 100_000_000+i)
	default:
		p.Email = strings.ToLower(fmt.Sprintf("%s.%s%d@%s", p.Given, p.Family, i, mailHosts[r.IntN(len(mailHosts))]))
	}
	if r.IntN(100) < 30 {
		p.Card = fmt.Sprintf("VIP%07d", i)
	}
	if r.IntN(100) < 20 {
		p.Tags = tagNames[r.IntN(len(tagNames))]
	}
	return p
}

var (
	mailHosts = []string{"gmail.com", "yahoo.com", "outlook.com", "icloud.com", "aol.com"}
	tagNames  = []string{"vip", "newsletter", "wholesale", "student", "family", "delivery"}
	mobiles   = []string{"130", "131", "132", "135", "136", "137", "138", "139", "150", "151", "158", "159", "177", "186", "187", "188", "189"}
	areas     = []string{"201", "212", "213", "312", "415", "512", "602", "617", "702", "713", "718", "917"}
)

// phoneOf gives each person a number of their own; neighbours in the file are none in the number's order.
func phoneOf(i int, chinese bool) string {
	scattered := uint64(i) * 48271 % 99_999_989 // both are prime, so no two people below it meet
	if chinese {
		return fmt.Sprintf("+86%s%08d", mobiles[i%len(mobiles)], scattered)
	}
	// The exchange code begins with 2 to 9.
	return fmt.Sprintf("+1%s%d%06d", areas[i%len(areas)], 2+scattered/1_000_000%8, scattered%1_000_000)
}

// peopleHeader names the columns that writePeople fills, as an import of customers calls them.
const peopleHeader = "external:shop,family_name,given_name,phone,email,card,tags"

// writePeople writes n people as a CSV file, beginning with the first.
func writePeople(w io.Writer, first, n int) error {
	b := bufio.NewWriterSize(w, 1<<20)
	if _, err := b.WriteString(peopleHeader + "\n"); err != nil {
		return err
	}
	for i := range n {
		p := personAt(first + i)
		if _, err := fmt.Fprintf(b, "%s,%s,%s,%s,%s,%s,%s\n", p.External, p.Family, p.Given, p.Phone, p.Email, p.Card, p.Tags); err != nil {
			return err
		}
	}
	return b.Flush()
}

// weighted picks words as often as they occur.
type weighted struct {
	words []string
	until []int // sums of the weights so far
}

func (w weighted) pick(r *rand.Rand) string {
	at := r.IntN(w.until[len(w.until)-1])
	return w.words[sort.SearchInts(w.until, at+1)]
}

// counted makes a choice of words with their weights, such as "SMITH 2442977 ...".
func counted(list string) (w weighted) {
	fields := strings.Fields(list)
	for n := 0; n+1 < len(fields); n += 2 {
		var weight int
		if _, err := fmt.Sscan(fields[n+1], &weight); err != nil {
			panic("bench: " + fields[n] + " has no weight")
		}
		w.add(fields[n], weight)
	}
	return w
}

// ranked makes a choice of words in the order of their rank, of which only the order is known: the weight falls as that
// of names does (Zipf's law, with an exponent of 0.7 as in the census' list of surnames).
func ranked(list string) (w weighted) {
	for n, word := range strings.Fields(list) {
		w.add(word, zipf(n))
	}
	return w
}

func (w *weighted) add(word string, weight int) {
	sum := weight
	if n := len(w.until); n > 0 {
		sum += w.until[n-1]
	}
	w.words, w.until = append(w.words, word), append(w.until, sum)
}
