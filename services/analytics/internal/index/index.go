// Package index reckons indices of satisfaction: the one of three questions of the American Customer Satisfaction Index, and
// systems of several levels whose weights are given or judged in pairs.
//
// The index of three is that of C. Fornell et al., The American Customer Satisfaction Index: nature, purpose, and findings, Journal of
// Marketing 60 (1996) 7–18: 100·Σ w·(x̄ − 1)/9, of satisfaction overall, against what was expected and against the ideal, on 1 to 10.
package index

import (
	"fmt"
	"math"
	"regexp"
	"time"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/ahp"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
)

const (
	maxNodes  = 200  // of a system
	maxDepth  = 6    // levels below the index itself
	maxSystem = 200  // of a tenant
	near      = 1e-6 // weights may be so far from 1 in sum: people write 0.333333
)

var codeForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// Node is one index of a system: of others, or a leaf that is asked.
type Node struct {
	Code       string     `json:"code"`
	Name       string     `json:"name"`
	Weight     float64    `json:"weight"`               // within its parent; of a judged level it follows from the judgements
	Judgements ahp.Matrix `json:"judgements,omitempty"` // of the children in pairs, in their order; instead of their weights
	Ratio      float64    `json:"ratio,omitempty"`      // consistency of the judgements
	Children   []Node     `json:"children,omitempty"`
	Question   string     `json:"question,omitempty"` // of a leaf
	Low        float64    `json:"low,omitempty"`      // of a leaf: the rating that counts 0
	High       float64    `json:"high,omitempty"`     // of a leaf: the rating that counts 100
}

// System is a tree of indices.
type System struct {
	Code      string
	Root      Node
	Version   int64
	Archived  bool
	By        string // subject
	ChangedAt time.Time
}

// Leaf says whether a node is asked.
func (n Node) Leaf() bool { return len(n.Children) == 0 }

// Leaves gives the leaves below a node, from left to right.
func (n Node) Leaves() (all []Node) {
	if n.Leaf() {
		return []Node{n}
	}
	for _, child := range n.Children {
		all = append(all, child.Leaves()...)
	}
	return all
}

// normal fills in what may be left out of a tree and has the weights of each level: equal where none is given, by the judgements
// where there are any, otherwise as given, which must sum to 1; they are then made to do so exactly.
func (n *Node) normal() error {
	var faults []problem.Field
	check := checking{seen: map[string]bool{}}
	n.Weight = 1
	if err := check.node(n, "", 0, &faults); err != nil {
		return err
	}
	if len(faults) > 0 {
		return problem.InvalidBody("index_invalid", "The index was not accepted: mend the fields named here.", faults)
	}
	return nil
}

type checking struct {
	seen  map[string]bool
	count int
}

func (c *checking) node(n *Node, at string, depth int, faults *[]problem.Field) error {
	fault := func(field, code, format string, args ...any) {
		*faults = append(*faults, problem.Field{Location: at + field, Code: code, Message: fmt.Sprintf(format, args...)})
	}
	if c.count++; c.count > maxNodes {
		if c.count == maxNodes+1 {
			fault("children", "too_many", "the system has more than %d indices", maxNodes)
		}
		return nil
	}
	if !codeForm.MatchString(n.Code) {
		fault("code", "code_invalid", "must be a code: a letter, then letters, digits and underscores, at most 40, all small")
	} else if c.seen[n.Code] {
		fault("code", "code_twice", "is the code of another index of the system")
	}
	c.seen[n.Code] = true
	if n.Leaf() {
		leaf(n, fault)
		return nil
	}
	if n.Question != "" || n.Low != 0 || n.High != 0 {
		fault("question", "not_a_leaf", "must be left out, and low and high, where there are children: an index is asked or made of others")
	}
	if depth >= maxDepth {
		fault("children", "too_deep", "must not go deeper than %d levels", maxDepth)
		return nil
	}
	if err := n.weigh(fault, at, faults); err != nil {
		return err
	}
	for i := range n.Children {
		if err := c.node(&n.Children[i], fmt.Sprintf("%schildren[%d].", at, i), depth+1, faults); err != nil {
			return err
		}
	}
	return nil
}

func leaf(n *Node, fault func(field, code, format string, args ...any)) {
	if n.Judgements != nil {
		fault("judgements", "no_children", "must be left out where there is nothing to compare")
	}
	if n.Question == "" {
		n.Question = n.Code
	}
	if !rating.Question.MatchString(n.Question) {
		fault("question", "question_invalid", "must be the code of a question")
	}
	if n.Low == 0 && n.High == 0 {
		n.Low, n.High = 1, 10
	}
	if n.High <= n.Low {
		fault("high", "scale_invalid", "must be more than low")
	}
}

// weigh has the weights of the children.
func (n *Node) weigh(fault func(field, code, format string, args ...any), at string, faults *[]problem.Field) error {
	given, sum := 0, 0.0
	for _, child := range n.Children {
		if child.Weight != 0 {
			given++
		}
		sum += child.Weight
	}
	switch {
	case n.Judgements != nil:
		if len(n.Judgements) != len(n.Children) {
			fault("judgements", "criteria_count", "must compare the %d children, in their order", len(n.Children))
			return nil
		}
		if found := n.Judgements.Check(at + "judgements"); len(found) > 0 {
			*faults = append(*faults, found...)
			return nil
		}
		w, err := ahp.Weigh(n.Judgements)
		if err != nil {
			return err
		}
		if !w.Accepted {
			fault("judgements", "inconsistent", "contradict each other: the consistency ratio is %.2f, more than %.2f. POST /v1/ahp/weights names the contradictions", w.Ratio, ahp.Accept)
		}
		n.Ratio = w.Ratio
		for i := range n.Children {
			n.Children[i].Weight = w.Weights[i]
		}
	case given == 0:
		for i := range n.Children {
			n.Children[i].Weight = 1 / float64(len(n.Children))
		}
	case given < len(n.Children) || math.Abs(sum-1) > near:
		fault("children", "weights_off", "must each have a weight above 0, in sum 1 and not %g, or none at all: then all weigh the same", math.Round(sum*1e6)/1e6)
	default:
		for i := range n.Children {
			n.Children[i].Weight /= sum
		}
	}
	return nil
}

// Scores are what leaves were given by one person or thing, by code.
type Scores map[string]float64

// Found is what an index came to.
type Found struct {
	Node     Node
	Level    int // 0 for the index itself
	Parent   string
	Share    float64  // of the whole: the product of the weights down to it
	Value    *float64 // 0 to 100; nil where something below is missing
	Interval *rating.Interval
	Missing  []string // leaves below without any score
	Answers  int      // of a leaf: how many scores there are
}

// Evaluated is what a system came to.
type Evaluated struct {
	Indexes []Found // each before those it is made of
	N       int     // rows that have all that anybody has: the sample of every index
	LeftOut int     // rows that do not
}

// Evaluate reckons each index of a tree from rows with a column a leaf, in their order; NaN is not given. All indices have the same
// sample, so that each is exactly what its parts make: rows that have every leaf that any row has. A leaf that no row has is missing, and
// so is all that is made of it: weights are never spread over what is there.
func Evaluate(root Node, rows [][]float64) Evaluated {
	leaves := root.Leaves()
	column, answers := map[string]int{}, make([]int, len(leaves))
	for i, l := range leaves {
		column[l.Code] = i
		for _, row := range rows {
			if !math.IsNaN(row[i]) {
				answers[i]++
			}
		}
	}
	scaled := rating.Table{}
	for _, row := range rows {
		one := make([]float64, len(leaves))
		for i, l := range leaves {
			if answers[i] > 0 {
				one[i] = 100 * (row[i] - l.Low) / (l.High - l.Low)
			}
		}
		scaled.Rows = append(scaled.Rows, one)
	}
	whole := scaled.Complete()
	e := evaluation{moments: rating.MomentsOf(whole), column: column, answers: answers}
	e.walk(root, "", 0, 1)
	return Evaluated{Indexes: e.found, N: len(whole), LeftOut: len(rows) - len(whole)}
}

type evaluation struct {
	moments rating.Moments
	column  map[string]int
	answers []int
	found   []Found
}

// walk adds what a node and all below it came to, and gives the weights of the leaves in it.
func (e *evaluation) walk(n Node, parent string, level int, share float64) (weights []float64, missing []string) {
	at := len(e.found)
	e.found = append(e.found, Found{Node: n, Level: level, Parent: parent, Share: share})
	weights = make([]float64, len(e.answers))
	if n.Leaf() {
		i := e.column[n.Code]
		weights[i] = 1
		if e.found[at].Answers = e.answers[i]; e.answers[i] == 0 {
			missing = []string{n.Code}
		}
	}
	for _, child := range n.Children {
		own, lacks := e.walk(child, n.Code, level+1, share*child.Weight)
		for i, w := range own {
			weights[i] += child.Weight * w
		}
		missing = append(missing, lacks...)
	}
	f := &e.found[at]
	if f.Missing = missing; len(missing) == 0 && e.moments.N > 0 {
		value, variance := e.moments.Combination(weights)
		f.Value = &value
		if i, ok := rating.Around(value, variance, e.moments.N); ok {
			i.Low, i.High = max(0, i.Low), min(100, i.High)
			f.Interval = &i
		}
	}
	return weights, missing
}

// ACSI is the index of three as a system, with weights that sum to 1 or are all 0: a third each.
func ACSI(overall, expectation, ideal float64) (Node, error) {
	root := Node{Code: "acsi", Children: []Node{{Code: "overall", Weight: overall}, {Code: "expectation", Weight: expectation}, {Code: "ideal", Weight: ideal}}}
	return root, root.normal()
}
