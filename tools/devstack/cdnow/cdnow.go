// Package cdnow reads the purchase history of a cohort of an online music shop, as published by Fader and Hardie, and
// makes a small synthetic file of the same format for machines that do not have the original.
//
// The format: CRLF line ends, one header line, then customer id, date (YYYYMMDD), number of CDs and value in dollars,
// with white space between.
package cdnow

import (
	"bufio"
	_ "embed"
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

// Find reads the original from $GUANXI_DATA or from ../shared/data beside the repository, and falls back to the
// synthetic file when neither has it.
func Find(repo string) (Source, error) {
	dir := os.Getenv(DataEnv)
	if dir == "" {
		dir = filepath.Join(repo, "..", "shared", "data")
	}
	path := filepath.Join(dir, FileName)
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		return Source{Name: path, Data: data, Real: true}, nil
	case os.IsNotExist(err):
		return Source{Name: "synthetic file (no " + path + ")", Data: synthetic}, nil
	default:
		return Source{}, err
	}
}

// Sums is what a history adds up to.
type Sums struct {
	Customers int64 `json:"customers"`
	Orders    int64 `json:"orders"`
	Units     int64 `json:"units"`
	// RevenueMinor is in cents.
	RevenueMinor int64 `json:"revenue_minor"`
}

// Add reads a history and adds it up, on its own: nothing of it goes through the code that imports.
func Add(r io.Reader) (Sums, error) {
	var sums Sums
	customers := make(map[string]bool)
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if n == 1 || len(fields) == 0 {
			continue
		}
		if len(fields) != 4 {
			return Sums{}, fmt.Errorf("line %d has %d columns, not 4", n, len(fields))
		}
		units, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return Sums{}, fmt.Errorf("line %d: units: %w", n, err)
		}
		cents, err := minor(fields[3])
		if err != nil {
			return Sums{}, fmt.Errorf("line %d: value: %w", n, err)
		}
		customers[fields[0]] = true
		sums.Orders++
		sums.Units += units
		sums.RevenueMinor += cents
	}
	sums.Customers = int64(len(customers))
	return sums, lines.Err()
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

// Published are the sums of the original, as its publishers tell them.
func Published() Sums {
	return Sums{Customers: 23570, Orders: 69659, Units: 167881, RevenueMinor: 250031563}
}
