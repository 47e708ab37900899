// Package cdnow reads the purchase history of a cohort of an online music shop, as published by Fader and Hardie, and
// makes a small synthetic file of the same format for machines that do not have the original.
//
// The format: CRLF line ends, one header line, then customer id, date (YYYYMMDD), number of CDs and value in dollars,
// with white space between.
package cdnow

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// FileName is the name of the original.
const FileName = "CDNOW_master.txt"

// DataEnv names the folder with the original, when it is not at its usual place beside the repository.
const DataEnv = "GUANXI_DATA"

//go:embed synthetic.txt
var synthetic []byte

// Source is a purchase history to import.
type Source struct {
	// Name says which it is, for people.
	Name string
	Data []byte
	// Real tells the original from the synthetic file.
	Real bool
}

// SampleName is the name of the publishers' own sample of one customer in ten, to which published models are fitted.
const SampleName = "CDNOW_sample.txt"

// Find reads the original from $GUANXI_DATA or from ../shared/data beside the repository, and falls back to the
// synthetic file when neither has it.
func Find(repo string) (Source, error) { return find(repo, FileName) }

// FindSample reads the publishers' sample from where Find looks, in the format of the original, and falls back to the
// synthetic file as well.
func FindSample(repo string) (Source, error) {
	source, err := find(repo, SampleName)
	if err != nil || !source.Real {
		return source, err
	}
	source.Data, err = likeOriginal(source.Data)
	return source, err
}

// likeOriginal takes the second column, the number within the sample, out of the sample's lines, and puts a header before them.
func likeOriginal(sample []byte) ([]byte, error) {
	made := []byte("customer_id date number_of_cds dollar_value\r\n")
	for n, line := range strings.Split(strings.TrimSpace(string(sample)), "\n") {
		fields := strings.Fields(line)
		if len(fields) != 5 {
			return nil, fmt.Errorf("line %d has %d columns, not 5", n+1, len(fields))
		}
		made = fmt.Appendf(made, "%s %s %s %s\r\n", fields[0], fields[2], fields[3], fields[4])
	}
	return made, nil
}

// Synthetic is the small made-up history, which is the same on every machine.
func Synthetic() Source { return Source{Name: "synthetic file", Data: synthetic} }

func find(repo, name string) (Source, error) {
	dir := os.Getenv(DataEnv)
	if dir == "" {
		dir = filepath.Join(repo, "..", "shared", "data")
	}
	path := filepath.Join(dir, name)
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		return Source{Name: path, Data: data, Real: true}, nil
	case os.IsNotExist(err):
		source := Synthetic()
		source.Name += " (no " + path + ")"
		return source, nil
	default:
		return Source{}, err
	}
}

// Sums is what a history, or one customer's part of it, adds up to.
type Sums struct {
	Customers int64 `json:"customers"`
	Orders    int64 `json:"orders"`
	Units     int64 `json:"units"`
	// RevenueMinor is in cents.
	RevenueMinor int64 `json:"revenue_minor"`
	// Points is one for each whole dollar of each order.
	Points int64 `json:"points"`
}

// purchase is one line of a history.
type purchase struct {
	customer     string
	units, cents int64
}

func (s *Sums) add(p purchase) {
	s.Orders++
	s.Units += p.units
	s.RevenueMinor += p.cents
	s.Points += p.cents / 100
}

// Add reads a history and adds it up, on its own: nothing of it goes through the code that imports.
func Add(r io.Reader) (Sums, error) {
	var sums Sums
	customers := make(map[string]bool)
	err := each(r, func(p purchase) {
		customers[p.customer] = true
		sums.add(p)
	})
	sums.Customers = int64(len(customers))
	return sums, err
}

// Regular finds the first customer in a history who came back most often, and adds up what that customer bought.
func Regular(r io.Reader) (customer string, sums Sums, err error) {
	var order []string
	all := make(map[string]*Sums)
	err = each(r, func(p purchase) {
		if all[p.customer] == nil {
			all[p.customer] = &Sums{Customers: 1}
			order = append(order, p.customer)
		}
		all[p.customer].add(p)
	})
	for _, one := range order {
		if all[one].Orders > sums.Orders {
			customer, sums = one, *all[one]
		}
	}
	if err == nil && customer == "" {
		err = errors.New("nobody buys anything")
	}
	return customer, sums, err
}

// each calls do with every line of a history.
func each(r io.Reader, do func(purchase)) error {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if n == 1 || len(fields) == 0 {
			continue
		}
		if len(fields) != 4 {
			return fmt.Errorf("line %d has %d columns, not 4", n, len(fields))
		}
		units, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return fmt.Errorf("line %d: units: %w", n, err)
		}
		cents, err := minor(fields[3])
		if err != nil {
			return fmt.Errorf("line %d: value: %w", n, err)
		}
		do(purchase{customer: fields[0], units: units, cents: cents})
	}
	return lines.Err()
}

// minor reads a decimal with two digits after the point without going through a floating-point number.
func minor(s string) (int64, error) {
	whole, cents, ok := strings.Cut(s, ".")
	if !ok || len(cents) != 2 {
		return 0, fmt.Errorf("%q is not a decimal with two digits after the point", s)
	}
	return strconv.ParseInt(whole+cents, 10, 64)
}

// CustomersMapping says which column of the file makes a customer.
func CustomersMapping() []string { return []string{"external:cdnow=#1"} }

// OrdersMapping says which columns make an order. The number of the line names it, since some lines stand there twice
// and are purchases of their own.
func OrdersMapping() []string {
	return []string{
		"external_id=$line", "customer=#1", "customer_system='cdnow'",
		"placed_at=#2", "quantity=#3", "amount=#4", "currency='USD'",
	}
}

// Published are the sums of the original, as its publishers tell them. They tell nothing of points; those follow from the
// file by
//
//	awk 'NR > 1 { split($4, dollars, "."); points += dollars[1] } END { print points }' CDNOW_master.txt
func Published() Sums {
	return Sums{Customers: 23570, Orders: 69659, Units: 167881, RevenueMinor: 250031563, Points: 2453159}
}
