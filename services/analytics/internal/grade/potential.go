package grade

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Level is one side of a threshold.
type Level string

// The levels: High is at the threshold and above.
const (
	High Level = "high"
	Low  Level = "low"
)

// Source says what potential value is taken from.
type Source string

// The sources.
const (
	// Predicted: the value to come, as the model in use says.
	Predicted Source = "predicted"
	// Wallet: what the customer buys elsewhere, at the margin of what it buys here, by the share of its wallet that it stated.
	Wallet Source = "wallet"
	// Either: Wallet where it was stated within a year, else Predicted.
	Either Source = "either"
)

// Cell is one quarter of the matrix of current and potential value, and what is done to keep those who stand in it.
type Cell struct {
	Current   Level  `json:"current"`
	Potential Level  `json:"potential"`
	Code      string `json:"code"`
	Effort    string `json:"effort"` // words for the house
	Budget    string `json:"budget"` // code of the budget that it is paid from
}

// Potential is how current and potential value are set against each other. Current is the contribution of the last run.
type Potential struct {
	Version        int64     `json:"-"` // 0: the house's own
	Source         Source    `json:"source"`
	WalletQuestion string    `json:"wallet_question"` // code of the question whose answer is the share of wallet, in percent
	CurrentMinor   *int64    `json:"current_minor"`   // from where on the level is high; nil: the median of those of whom both are known
	PotentialMinor *int64    `json:"potential_minor"`
	Cells          [4]Cell   `json:"cells"` // high/high, high/low, low/high, low/low
	By             string    `json:"-"`
	ChangedAt      time.Time `json:"-"`
}

// HousePotential is what holds where a tenant set nothing.
func HousePotential() Potential {
	return Potential{Source: Either, WalletQuestion: "share_of_wallet", Cells: [4]Cell{
		{High, High, "protect", "", ""}, {High, Low, "keep", "", ""}, {Low, High, "develop", "", ""}, {Low, Low, "serve", "", ""},
	}}
}

// cellAt is the index of a cell.
func cellAt(current, potential Level) int {
	i := 0
	if current == Low {
		i += 2
	}
	if potential == Low {
		i++
	}
	return i
}

const (
	maxEffort = 500
	maxBudget = 40
)

// check says what is wrong; cells come in any order, and each of the four has to be there.
func (p *Potential) check(cells []Cell) error {
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if p.WalletQuestion != "" && !code.MatchString(p.WalletQuestion) {
		fault("wallet_question", "code_invalid", "must be the code of a question")
	}
	if p.Source == Wallet && p.WalletQuestion == "" {
		fault("wallet_question", "required", "must say which question tells the share of wallet")
	}
	var there [4]bool
	for i, c := range cells {
		at := "cells[" + strconv.Itoa(i) + "]"
		j := cellAt(c.Current, c.Potential)
		switch {
		case there[j]:
			fault(at, "cell_twice", "names a cell that is named before")
		case !code.MatchString(c.Code):
			fault(at+".code", "code_invalid", "must be a code: a letter, then letters, digits and underscores, at most 40, all small")
		case utf8.RuneCountInString(c.Effort) > maxEffort:
			fault(at+".effort", "too_long", "must be at most 500 characters")
		case len(c.Budget) > maxBudget:
			fault(at+".budget", "too_long", "must be at most 40 characters")
		}
		there[j], p.Cells[j] = true, c
	}
	if len(faults) == 0 && there != [4]bool{true, true, true, true} {
		fault("cells", "cell_missing", "must name all four cells: high and low, current and potential")
	}
	if len(faults) > 0 {
		return problem.InvalidBody("value_potential_invalid", "The matrix stays as it was: mend the fields named here.", faults)
	}
	return nil
}
