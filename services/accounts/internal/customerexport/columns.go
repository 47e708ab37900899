package customerexport

import (
	"fmt"
	"slices"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

// customField is a custom field as far as an export cares.
type customField struct {
	name  string
	class access.Class
}

// offer is what the columns of an export can be chosen from: what the tenant has, and what the caller may see of it.
type offer struct {
	systems []string // of external ids, such as external:erp, sorted
	fields  []customField
	may     func(access.Class) bool
}

// choose gives the columns of an export, with the sensitive classes among them, or names those that cannot be had. Without
// a wish it is all that an import reads back and the caller sees.
func (o offer) choose(wish []string) (columns []string, classes []access.Class, faults []problem.Field) {
	if len(wish) == 0 {
		for _, p := range plain {
			if p.imported && o.may(classOf(p.name)) {
				wish = append(wish, p.name)
			}
		}
		wish = append(wish, anyExternal, anyCustom)
	}
	for n, name := range wish {
		found, fault := o.expand(name)
		if fault != "" {
			faults = append(faults, problem.Field{Location: fmt.Sprintf("columns[%d]", n), Code: fault, Message: columnFaults[fault]})
		}
		for _, one := range found {
			if !slices.Contains(columns, one) {
				columns = append(columns, one)
			}
		}
	}
	if len(faults) == 0 && len(columns) == 0 {
		faults = append(faults, problem.Field{Location: "columns", Code: "columns_empty", Message: "name at least one that there is and that you see"})
	}
	for _, f := range o.fields {
		if f.class.Sensitive() && slices.Contains(columns, customPrefix+f.name) && !slices.Contains(classes, f.class) {
			classes = append(classes, f.class)
		}
	}
	slices.Sort(classes)
	return columns, classes, faults
}

var columnFaults = map[string]string{
	"column_unknown": "is no column, no identity of any customer, and no custom field",
	"column_hidden":  "is of a class that you do not see: the purpose, the lack of a reason or your role keeps it from you",
}

// expand gives the columns that a wish means.
func (o offer) expand(name string) (columns []string, fault string) {
	switch {
	case name == anyExternal && o.may(access.Identity):
		return o.systems, ""
	case name == anyExternal:
		return nil, ""
	case name == anyCustom:
		for _, f := range o.fields {
			if o.may(f.class) {
				columns = append(columns, customPrefix+f.name)
			}
		}
		return columns, ""
	}
	class, known := o.class(name)
	switch {
	case !known:
		return nil, "column_unknown"
	case !o.may(class):
		return nil, "column_hidden"
	}
	return []string{name}, ""
}

// class gives the class of a column that the tenant has.
func (o offer) class(name string) (class access.Class, known bool) {
	if slices.Contains(o.systems, name) {
		return access.OfIdentity(name), true
	}
	for _, p := range plain {
		if p.name == name {
			return classOf(name), true
		}
	}
	for _, f := range o.fields {
		if customPrefix+f.name == name {
			return f.class, true
		}
	}
	return "", false
}

// classOf gives the class of a plain column.
func classOf(name string) access.Class {
	if class, standard := access.OfField(name); standard {
		return class
	}
	return access.OfIdentity(name)
}
