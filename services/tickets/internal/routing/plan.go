package routing

import (
	"cmp"
	"slices"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/rota"
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
	turns := rota.New()
	able := make(map[string]*Candidate, len(agents))
	for i, a := range agents {
		turns.Add(a.Subject, a.Load, a.Capacity, a.Turns)
		able[a.Subject] = &agents[i]
	}
	var plan []Placement
	for _, w := range waiting {
		q, known := queues[w.Queue]
		if !known || q.Strategy == Pull {
			continue
		}
		need := slices.Concat(q.Skills, w.Need)
		var can []string
		for _, a := range agents {
			if a.Subject != w.ReleasedBy && a.fits(q.Code, need) {
				can = append(can, a.Subject)
			}
		}
		if best, ok := turns.First(q.Code, can, q.Strategy.order(need, able)); ok {
			plan = append(plan, Placement{TicketID: w.TicketID, Queue: q.Code, Subject: best, Turn: turns.Take(q.Code, best)})
		}
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

// order gives who comes first of those who could take a ticket; able are the agents by subject.
func (s Strategy) order(need []Level, able map[string]*Candidate) func(a, b rota.Place) int {
	switch s {
	case RoundRobin:
		return rota.ByTurn
	case BestSkill:
		skills := skillsOf(need)
		return func(a, b rota.Place) int {
			bySkill := 0
			for _, skill := range skills {
				bySkill += able[b.Subject].level(skill) - able[a.Subject].level(skill)
			}
			return cmp.Or(bySkill, rota.ByLoad(a, b))
		}
	default:
		return rota.ByLoad
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
