package search_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/accounts"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/search"
)

// Names as often as they are: a tenth of the Chinese are called 王, and few Englishmen anything but Smith or Jones.
var (
	families = []rune("王王王王王王王李李李李李李李张张张张张张刘刘刘刘陈陈陈陈杨杨杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤")
	givens   = []rune("伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂文辉玲志建国华红玉梅金海燕晓春小龙飞鹏宇浩然子轩雨涵欣怡梓诗佳俊博思一诺可馨乐天雪峰林云波斌宁亮成东南西北山川水木火土日月星辰光风雷电心悦嘉懿煜城")
	english  = [2][]string{
		{"James", "Mary", "John", "Patricia", "Robert", "Jennifer", "Michael", "Linda", "William", "Elizabeth", "David", "Barbara", "Jonathan", "Susan", "Joseph", "Jessica", "Thomas", "Sarah", "Charles", "Karen", "Christopher", "Lisa", "Daniel", "Nancy", "Matthew", "Betty"},
		{"Smith", "Smith", "Smith", "Jones", "Jones", "Williams", "Brown", "Taylor", "Davies", "Wilson", "Evans", "Thomas", "Johnson", "Roberts", "Walker", "Wright", "Robinson", "Thompson", "White", "Hughes", "Edwards", "Green", "Lewis", "Wood", "Harris", "Martin", "Jackson", "Clarke"},
	}
	syllables = []string{"an", "ber", "cot", "dal", "en", "fair", "gar", "hol", "ing", "kes", "lam", "mor", "nor", "os", "pen", "ros", "stan", "ton", "ver", "wick", "field", "ham", "ley", "worth", "by", "ford"}
)

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// someName is Chinese three times in four; a third of the English have a family name of their own.
func someName(r *rand.Rand) string {
	if r.IntN(4) > 0 {
		n := string(pick(r, families)) + string(pick(r, givens))
		if r.IntN(3) > 0 {
			n += string(pick(r, givens))
		}
		return n
	}
	family := pick(r, english[1])
	if r.IntN(3) == 0 {
		family = pick(r, syllables) + pick(r, syllables) + pick(r, syllables)
	}
	return pick(r, english[0]) + " " + family
}

// BenchmarkSearch fills a tenant with GUANXI_BENCH_CUSTOMERS customers (100,000 where it is not set), reports how many a
// second are indexed, and then how long searches take.
func BenchmarkSearch(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("GUANXI_BENCH_CUSTOMERS"))
	if err != nil {
		n = 100_000
	}
	database := pgtest.Database(b, accounts.Module().Source())
	db, ops := database.DB(pg.App), database.DB(pg.Ops)
	names, phones := fill(b, db, n)
	began := time.Now()
	index(b, db, ops)
	b.Logf("%d customers, %.0f indexed a second", n, float64(n)/time.Since(began).Seconds())

	ctx := auth.With(b.Context(), auth.Principal{Subject: "ann", Tenant: "pizza"})
	r := rand.New(rand.NewPCG(1, 2))
	for _, kind := range []struct {
		name string
		text func(i int) string
	}{
		{"name", func(i int) string { return names[i] }},
		{"part", func(i int) string { runes := []rune(names[i]); return string(runes[len(runes)-2:]) }},
		{"family", func(i int) string { return string([]rune(names[i])[0]) }},
		{"typo", func(i int) string {
			runes := []rune(names[i])
			runes[len(runes)-1-r.IntN(3)%len(runes)] = 'q'
			return string(runes)
		}},
		{"smith", func(int) string { return "smith" }}, {"lilei", func(int) string { return "wangwei" }}, {"li", func(int) string { return "li" }},
		{"phone end", func(i int) string { return phones[i][len(phones[i])-4:] }},
		{"phone", func(i int) string { return phones[i] }},
		{"phone begin", func(int) string { return "8613" }},
	} {
		b.Run(kind.name, func(b *testing.B) {
			s := search.New(db)
			var took []time.Duration
			found := 0
			for b.Loop() {
				text := kind.text(r.IntN(n))
				began := time.Now()
				page, err := s.Find(ctx, search.Query{Text: text, Sort: search.Relevance, Identity: true, Contact: true, Behaviour: true}, nil, 20)
				if err != nil {
					b.Fatal(err)
				}
				found += len(page.Hits)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(found)/float64(len(took)), "found")
		})
	}
}

// fill writes customers with a telephone number each.
func fill(b *testing.B, db *pg.DB, n int) (names, phones []string) {
	b.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	for len(names) < n {
		var ids []uuid.UUID
		from := len(names)
		for range min(10_000, n-from) {
			ids = append(ids, uuid.Must(uuid.NewV7()))
			names, phones = append(names, someName(r)), append(phones, fmt.Sprintf("+861%d%09d", 3+r.IntN(7), r.IntN(1e9)))
		}
		err := db.Tx(b.Context(), "pizza", func(tx *pg.Tx) error {
			tx.Queue(`INSERT INTO customer (tenant_id, id, version, kind, display_name, given_name, family_name, legal_name, source, registered_at, changed_at)
				SELECT 'pizza', n.id, 1, 'person', n.name, '', '', '', 'api', now(), now() FROM unnest($1::uuid[], $2::text[]) n(id, name)`, ids, names[from:])
			tx.Queue(`INSERT INTO customer_identity (tenant_id, type, value, customer_id, added_at)
				SELECT 'pizza', 'phone', n.phone, n.id, now() FROM unnest($1::uuid[], $2::text[]) n(id, phone) ON CONFLICT DO NOTHING`, ids, phones[from:])
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return names, phones
}

// index waits until nothing is pending.
func index(b *testing.B, db, ops *pg.DB) {
	b.Helper()
	x := search.NewIndexer(db, ops, slog.New(slog.DiscardHandler), nil)
	for left := true; left; {
		if err := x.Turn(b.Context()); err != nil {
			b.Fatal(err)
		}
		err := ops.System(b.Context(), func(tx *pg.Tx) error {
			return tx.QueryRow(b.Context(), `SELECT EXISTS (SELECT FROM customer_pending)`).Scan(&left)
		})
		if err != nil && !os.IsTimeout(err) && err != context.Canceled { //nolint:errorlint // passed on as it is
			b.Fatal(err)
		}
	}
}
