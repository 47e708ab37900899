package subscription

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
	"github.com/guanxi-crm/guanxi/proto/events"
)

// catalogue gives the names of the types of each topic, as the contracts of the operator's version have them.
var catalogue = sync.OnceValue(func() map[string][]string {
	types := map[string][]string{}
	for _, t := range events.All() {
		types[t.Topic()] = append(types[t.Topic()], t.Name())
	}
	return types
})

// misspelt refuses a type that is not on its topic, and names the one that is most like it. A topic that is younger than the
// operator is not judged.
func misspelt(t v1alpha1.EventType) *Refusal {
	topic, name := topicOf(t), string(t)
	known, judged := catalogue()[topic]
	if !judged || strings.HasSuffix(name, ".*") || slices.Contains(known, name) {
		return nil
	}
	nearest := slices.MinFunc(known, func(a, b string) int { return cmp.Compare(distance(name, a), distance(name, b)) })
	return &Refusal{"UnknownEventType", fmt.Sprintf("the topic %s has no %s: do you mean %s? %s.* are all of them", topic, name, nearest, topic)}
}

// distance is how many letters have to be put in, taken out or changed to make one word of the other, whatever their case.
func distance(a, b string) int {
	one, two := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	row := make([]int, len(two)+1)
	for j := range row {
		row[j] = j
	}
	for i, from := range one {
		diagonal := row[0]
		row[0] = i + 1
		for j, to := range two {
			changed := diagonal
			if from != to {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, diagonal+1)
		}
	}
	return row[len(two)]
}
