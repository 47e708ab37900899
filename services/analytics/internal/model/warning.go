package model

import (
	"fmt"
	"strings"
)

// Warning is what to mind about a model.
type Warning struct {
	Code   string            `json:"code" example:"column_incomplete" doc:"Stable and snake_case; see the page of the service. other: of a model from before there were codes."`
	Detail string            `json:"detail" example:"Column age is missing in 12 rows." doc:"In words."`
	Values map[string]string `json:"values,omitempty" doc:"The numbers and names in the words, by what they are, such as column." example:"{\"column\": \"age\", \"rows\": \"12\"}"`
}

// other is the code of warnings that were kept as words alone.
const other = "other"

// Warn makes a warning. Each {name} in the words is replaced by the value that follows its name in values.
func Warn(code, words string, values ...any) Warning {
	w := Warning{Code: code}
	var fill []string
	for i := 0; i+1 < len(values); i += 2 {
		name, value := fmt.Sprint(values[i]), fmt.Sprint(values[i+1])
		if w.Values == nil {
			w.Values = map[string]string{}
		}
		w.Values[name] = value
		fill = append(fill, "{"+name+"}", value)
	}
	w.Detail = strings.NewReplacer(fill...).Replace(words)
	return w
}

// details gives the words alone, as earlier versions keep them.
func details(all []Warning) []string {
	words := make([]string, len(all))
	for i, w := range all {
		words[i] = w.Detail
	}
	return words
}

// coded gives the warnings of a row: those with codes, or what an earlier version kept in words.
func coded(all []Warning, words []string) []Warning {
	if len(all) > 0 || len(words) == 0 {
		return all
	}
	for _, one := range words {
		all = append(all, Warn(other, one))
	}
	return all
}
