package lead

import (
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"
)

// Key is something by which two leads are the same.
type Key string

// The keys, the surest first. A customer is always one.
const (
	KeyCustomer Key = "customer" // both are known to be that customer
	KeyEmail    Key = "email"
	KeyPhone    Key = "phone"
	KeyCompany  Key = "company" // the company's domain, with names that are alike
)

// Keys are those that a tenant can choose, the surest first.
func Keys() []Key { return []Key{KeyEmail, KeyPhone, KeyCompany} }

// providers are domains at which people of all companies have mailboxes: these tell nothing of a company.
var providers = strings.Fields(`gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com yahoo.co.uk yahoo.co.jp yahoo.de yahoo.fr ymail.com
		icloud.com me.com mac.com aol.com gmx.de gmx.net gmx.at gmx.ch web.de t-online.de freenet.de mail.ru yandex.ru yandex.com bk.ru inbox.ru list.ru
		proton.me protonmail.com pm.me zoho.com mail.com fastmail.com hey.com tutanota.com orange.fr wanadoo.fr free.fr laposte.net sfr.fr
		libero.it virgilio.it hotmail.co.uk hotmail.fr hotmail.de outlook.de outlook.fr btinternet.com comcast.net verizon.net att.net
		qq.com vip.qq.com foxmail.com 163.com vip.163.com 126.com yeah.net sina.com sina.cn vip.sina.com sohu.com 139.com 189.cn wo.cn aliyun.com
		21cn.com tom.com naver.com hanmail.net daum.net rediffmail.com uol.com.br bol.com.br terra.com.br`)

// companyDomain gives the domain of somebody's company: the website's, or the mail address' unless that is a provider's.
func companyDomain(c Contact) string {
	if c.Website != "" {
		return c.Website
	}
	_, domain, _ := strings.Cut(c.Email, "@")
	if slices.Contains(providers, domain) {
		return ""
	}
	return domain
}

// twin is an open lead that something that came in may be about.
type twin struct {
	id            uuid.UUID
	key           Key
	name, company string
}

// pick gives the one of the twins that the lead is the same as, by the surest key; of several the youngest. ok is false where
// none is.
func pick(l Lead, twins []twin) (found twin, ok bool) {
	order := append([]Key{KeyCustomer}, Keys()...)
	for _, t := range twins {
		if t.key == KeyCompany && !sameAtCompany(l, t) {
			continue
		}
		better := slices.Index(order, t.key) - slices.Index(order, found.key)
		if !ok || better < 0 || better == 0 && strings.Compare(t.id.String(), found.id.String()) > 0 {
			found, ok = t, true
		}
	}
	return found, ok
}

// sameAtCompany tells whether a lead of the same company is of the same person: where both have a name, by that, and by the
// company's where neither has one.
func sameAtCompany(l Lead, t twin) bool {
	switch {
	case l.Name != "" && t.name != "":
		return alike(l.Name, t.name)
	case l.Name != "" || t.name != "":
		return false
	default:
		return l.Company == "" || t.company == "" || alike(l.Company, t.company)
	}
}

// alike tells whether two names are one: the same words in any order, without accents, capitals and signs, in which at most one
// letter in six is another, missing or too much.
func alike(a, b string) bool {
	x, y := []rune(folded(a)), []rune(folded(b))
	if len(x) == 0 || len(y) == 0 {
		return false
	}
	return distance(x, y) <= min(len(x), len(y))/6
}

// folded gives the words of a name in order, in small letters, without accents and signs.
func folded(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r):
			return -1
		case unicode.IsLetter(r), unicode.IsNumber(r):
			return unicode.ToLower(r)
		default:
			return ' '
		}
	}, norm.NFKD.String(name))
	words := strings.Fields(name)
	slices.Sort(words)
	return strings.Join(words, " ")
}

// distance is the number of letters that have to be changed, taken away or added to make the one of the other (Levenshtein).
func distance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
