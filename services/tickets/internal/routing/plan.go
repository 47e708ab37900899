package routing

import (
	"cmp"
	"slices"

	"github.com/google/uuid"
)

// Candidate is an agent who is available, with what they have at the moment.
type Candidate struct {
	Agent
	Load  int              // tickets that they work on
	Turns map[string]int64 // by queue: when it was their turn; 0 or nothing: never
}

// Waiting is a ticket that somebody has to take.
type Waiting struct {
	TicketID   uuid.UUID
	Queue      string
	Need       []Level // beside what the queue needs
	ReleasedBy string  // gave it back, and does not get it again; empty for nobody
}

// Placement is who takes a ticket.
type Placement struct {
	TicketID uuid.UUID
	Queue    string
	Subject  string
	Turn     int64 // of the agent in the queue, from now on
}

// Plan gives tickets to agents, in the order of the tickets, as their queues' strategies say. Nobody gets more than their
// capacity, nor what they cannot do, nor what they gave back. A ticket for which there is nobody is left out.
func Plan(queues map[string]Queue, agents []Candidate, waiting []Waiting) []Placement {
	load, turns := map[string]int{}, map[string]map[string]int64{}
	last := map[string]int64{} // turn of a queue
	for _, a := range agents {
		load[a.Subject] = a.Load
		turns[a.Subject] = map[string]int64{}
		for queue, turn := range a.Turns {
			turns[a.Subject][queue] = turn
			last[queue] = max(last[queue], turn)
		}
	}
	var plan []Placement
	for _, w := range waiting {
		q, known := queues[w.Queue]
		if !known || q.Strategy == Pull {
			continue
		}
		need := slices.Concat(q.Skills, w.Need)
		var best *Candidate
		for i := range agents {
			a := &agents[i]
			if load[a.Subject] >= a.Capacity || a.Subject == w.ReleasedBy || !a.fits(q.Code, need) {
				continue
			}
			if best == nil || before(q.Strategy, need, a, best, load, turns, q.Code) {
				best = a
			}
		}
		if best == nil {
			continue
		}
		last[q.Code]++
		load[best.Subject]++
		turns[best.Subject][q.Code] = last[q.Code]
		plan = append(plan, Placement{TicketID: w.TicketID, Queue: q.Code, Subject: best.Subject, Turn: last[q.Code]})
	}
	return plan
}

// fits tells whether the agent works in a queue and can do all that is needed.
func (a Agent) fits(queue string, need []Level) bool {
	return slices.Contains(a.Queues, queue) && !slices.ContainsFunc(need, func(n Level) bool { return a.level(n.Skill) < n.Level })
}

// level is how well the agent can do something; 0 for not at all.
func (a Agent) level(skill string) int {
	for _, l := range a.Skills {
		if l.Skill == skill {
			return l.Level
		}
	}
	return 0
}

// before tells whether a takes a ticket rather than b. What the strategy leaves open is decided by load, then by turn, then
// by subject, so that the same state always leads to the same plan.
func before(s Strategy, need []Level, a, b *Candidate, load map[string]int, turns map[string]map[string]int64, queue string) bool {
	byTurn := cmp.Compare(turns[a.Subject][queue], turns[b.Subject][queue])
	// Load is compared as a share of capacity: load a / capacity a < load b / capacity b.
	byLoad := cmp.Compare(load[a.Subject]*b.Capacity, load[b.Subject]*a.Capacity)
	bySkill := 0
	for _, skill := range skillsOf(need) {
		bySkill += b.level(skill) - a.level(skill)
	}
	subject := cmp.Compare(a.Subject, b.Subject)
	switch s {
	case RoundRobin:
		return cmp.Or(byTurn, subject) < 0
	case BestSkill:
		return cmp.Or(bySkill, byLoad, byTurn, subject) < 0
	default:
		return cmp.Or(byLoad, byTurn, subject) < 0
	}
}

// skillsOf gives each skill that is needed once, however often it is named.
func skillsOf(need []Level) (skills []string) {
	for _, n := range need {
		if !slices.Contains(skills, n.Skill) {
			skills = append(skills, n.Skill)
		}
	}
	return skills
}
