package cluster_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// generator makes random statements on one partition of the table item, with few values so that they meet.
type generator struct {
	random *rand.Rand
	p      int
	ttls   []int // each is taken once
}

func (g *generator) n(n int) int { return g.random.IntN(n) }

func (g *generator) at() int64 { return int64(10 + g.n(6)) }

func (g *generator) a() int { return g.n(4) }

// ttl returns a TTL that no earlier write of the history has. Of two equal TTLs at one timestamp the cell of the later
// second wins, and how many seconds pass between two writes depends on the node.
func (g *generator) ttl() (ttl int) {
	ttl, g.ttls = 1000*(1+g.ttls[0]), g.ttls[1:]
	return ttl
}

func (g *generator) b() string { return string(rune('a' + g.n(3))) }

func (g *generator) texts() (list []string) {
	for range g.n(4) {
		list = append(list, g.b())
	}
	return list
}

func (g *generator) sorts() map[string]string {
	m := map[string]string{}
	for range g.n(3) {
		m[g.b()] = g.b()
	}
	return m
}

// maybe returns v, or null, or no value.
func (g *generator) maybe(v any) any {
	switch g.n(6) {
	case 0:
		return nil
	case 1:
		return gocql.UnsetValue
	}
	return v
}

func (g *generator) sign() string { return []string{"<", "<=", ">", ">="}[g.n(4)] }

func (g *generator) write() step {
	switch g.n(14) {
	case 0, 1, 2:
		return do(insertItem, g.p, g.a(), g.b(), g.maybe(x(g.b())), g.maybe(g.n(3)), g.at())
	case 3:
		return do(insertTTL, g.p, g.a(), g.b(), g.maybe(x(g.b())), g.maybe(g.n(3)), g.at(), g.ttl())
	case 4:
		return do(updateItem, g.at(), g.maybe(x(g.b())), g.p, g.a(), g.b())
	case 5:
		return do(`INSERT INTO item (p, a, b, e, m, s) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?`, g.p, g.a(), g.b(), g.maybe(g.texts()), g.maybe(g.sorts()), g.maybe(g.n(3)), g.at())
	case 6:
		column := []string{"e = e + ?", "e = e - ?", "e = ?"}[g.n(3)]
		return do(`UPDATE item USING TIMESTAMP ? SET `+column+` WHERE p = ? AND a = ? AND b = ?`, g.at(), g.texts(), g.p, g.a(), g.b())
	case 7:
		return do(`UPDATE item USING TIMESTAMP ? SET m[?] = ?, n = ? WHERE p = ? AND a = ? AND b = ?`, g.at(), g.b(), []any{nil, "v"}[g.n(2)], g.maybe(g.n(3)), g.p, g.a(), g.b())
	case 8:
		return do(static, g.at(), g.maybe(g.n(5)), g.p)
	case 9:
		return do(deleteItem, g.at(), g.p, g.a(), g.b())
	case 10:
		return do([]string{deleteValue, `DELETE e, m FROM item USING TIMESTAMP ? WHERE p = ? AND a = ? AND b = ?`}[g.n(2)], g.at(), g.p, g.a(), g.b())
	case 11:
		return do(prefixOfP, g.at(), g.p, g.a())
	case 12:
		if g.n(6) == 0 {
			return do(allOfP, g.at(), g.p)
		}
		return do(`DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a = ? AND b `+g.sign()+` ?`, g.at(), g.p, g.a(), g.b())
	default:
		return do(`DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a >= ? AND a `+[]string{"<", "<="}[g.n(2)]+` ?`, g.at(), g.p, g.a(), g.a())
	}
}

func (g *generator) read() step {
	size := g.n(5)
	switch g.n(7) {
	case 0:
		return paged(size, allItems, g.p)
	case 1:
		return paged(size, itemTimes, g.p)
	case 2:
		return paged(size, `SELECT a, b, n, s FROM item WHERE p = ? AND a `+g.sign()+` ? LIMIT ?`, g.p, g.a(), 1+g.n(5))
	case 3:
		return paged(size, `SELECT a, b, s FROM item WHERE p = ? ORDER BY a ASC LIMIT ?`, g.p, 1+g.n(9))
	case 4:
		return paged(size, `SELECT a, b, e FROM item WHERE p = ? AND a IN ?`, g.p, []int{g.a(), g.a()})
	case 5:
		return paged(size, `SELECT a, b, m FROM item WHERE p = ? AND a = ? AND b `+g.sign()+` ?`, g.p, g.a(), g.b())
	default:
		return do(`SELECT b, v FROM item WHERE p = ? AND a = ? AND b IN ?`, g.p, g.a(), g.texts())
	}
}

// histories returns random histories.
func histories(seed uint64, count int) [][]step {
	g := &generator{random: rand.New(rand.NewPCG(seed, 7))}
	list := make([][]step, count)
	for i := range list {
		g.p, g.ttls = 100_000+i, g.random.Perm(40)
		for range 4 + g.n(30) {
			if g.n(4) == 0 {
				list[i] = append(list[i], g.read())
			} else {
				list[i] = append(list[i], g.write())
			}
		}
		list[i] = append(list[i], do(allItems, g.p), do(itemTimes, g.p), paged(2, allItems, g.p))
	}
	return list
}

func TestTruthOfRandomHistories(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	cases := histories(seed, 60)
	fake, fakeSeconds := onFake(t, cases)
	node := realSession(t)
	for i, steps := range cases {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			compare(t, node, steps, fake[i], fakeSeconds[i])
		})
	}
}
