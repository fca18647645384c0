package cluster_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// unset leaves a column as it is.
var unset = gocql.UnsetValue

// do is a statement of a case.
func do(cql string, values ...any) step { return step{cql: cql, values: values} }

// paged reads all pages of a size.
func paged(size int, cql string, values ...any) step {
	return step{cql: cql, values: values, size: size}
}

// batch executes a statement for several sets of values.
func batch(cql string, sets ...[]any) step { return step{cql: cql, batch: sets} }

func vals(values ...any) []any { return values }

// uid returns a random-looking uuid with a last octet.
func uid(last byte) gocql.UUID {
	return gocql.UUID{0xa1, 0x77, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, last}
}

// tid returns a timeuuid with a count of microseconds since 2024.
func tid(us int64) gocql.UUID {
	id := gocql.UUIDFromTime(time.UnixMicro(1_700_000_000_000_000 + us))
	copy(id[8:], []byte{0x80, 2, 3, 4, 5, 6, 7, 8})
	return id
}

const (
	allItems    = `SELECT p, a, b, s, ss, v, n, t, f, l, e, m FROM item WHERE p = ?`
	itemTimes   = `SELECT a, b, WRITETIME(s), WRITETIME(v), WRITETIME(n), WRITETIME(f), WRITETIME(l), TTL(v), TTL(n), TTL(s) FROM item WHERE p = ?`
	insertItem  = `INSERT INTO item (p, a, b, v, n) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?`
	insertTTL   = `INSERT INTO item (p, a, b, v, n) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?`
	updateItem  = `UPDATE item USING TIMESTAMP ? SET v = ? WHERE p = ? AND a = ? AND b = ?`
	deleteItem  = `DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a = ? AND b = ?`
	deleteValue = `DELETE v FROM item USING TIMESTAMP ? WHERE p = ? AND a = ? AND b = ?`
	allOfP      = `DELETE FROM item USING TIMESTAMP ? WHERE p = ?`
	prefixOfP   = `DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a = ?`
	static      = `UPDATE item USING TIMESTAMP ? SET s = ? WHERE p = ?`
	insertBare  = `INSERT INTO item (p, a, b) VALUES (?, ?, ?) USING TIMESTAMP ?`
)

func x(s string) []byte { return []byte(s) }

// truths returns cases on the tables of the suite. %P in a name stands for a partition of the case.
func truths() map[string]func(p int) []step {
	return map[string]func(p int) []step{
		"the later timestamp wins": func(p int) []step {
			return []step{
				do(insertItem, p, 1, "b", x("new"), 1, int64(20)), do(insertItem, p, 1, "b", x("old"), 2, int64(10)), do(allItems, p), do(itemTimes, p),
				do(updateItem, int64(21), x("newer"), p, 1, "b"), do(allItems, p), do(itemTimes, p),
			}
		},
		"equal timestamps: the greater value wins": func(p int) []step {
			return []step{
				do(insertItem, p, 1, "b", x("mm"), 5, int64(10)), do(insertItem, p, 1, "b", x("zz"), -1, int64(10)), do(allItems, p),
				do(insertItem, p, 1, "b", x("aa"), 3, int64(10)), do(allItems, p), do(insertItem, p, 1, "b", x("zzz"), 1<<30, int64(10)), do(allItems, p),
				do(insertItem, p, 1, "b", []byte{}, 0, int64(10)), do(allItems, p),
			}
		},
		"equal timestamps: a deletion wins": func(p int) []step {
			return []step{
				do(insertItem, p, 1, "b", x("v"), 5, int64(10)), do(deleteValue, int64(10), p, 1, "b"), do(allItems, p), do(itemTimes, p),
				do(updateItem, int64(10), x("w"), p, 1, "b"), do(allItems, p), do(updateItem, int64(11), x("w"), p, 1, "b"), do(allItems, p),
				do(deleteItem, int64(11), p, 1, "b"), do(allItems, p), do(insertItem, p, 1, "b", x("again"), 1, int64(11)), do(allItems, p),
				do(insertItem, p, 1, "b", x("again"), 1, int64(12)), do(allItems, p),
			}
		},
		"equal timestamps: null wins over a value": func(p int) []step {
			return []step{
				do(insertItem, p, 1, "b", x("v"), 5, int64(10)), do(insertItem, p, 1, "b", nil, 5, int64(10)), do(allItems, p), do(itemTimes, p),
			}
		},
		"equal timestamps: a cell with TTL wins": func(p int) []step {
			return []step{
				do(insertTTL, p, 1, "b", x("aa"), 1, int64(10), 1000), do(insertItem, p, 1, "b", x("zz"), 9, int64(10)), do(allItems, p), do(itemTimes, p),
				do(insertTTL, p, 1, "b", x("zz"), 9, int64(10), 2000), do(allItems, p), do(itemTimes, p),
				do(insertTTL, p, 1, "b", x("zzz"), 9, int64(10), 500), do(allItems, p), do(itemTimes, p),
				do(deleteValue, int64(10), p, 1, "b"), do(allItems, p), do(itemTimes, p),
			}
		},
		"deletions before insertions": func(p int) []step {
			return []step{
				do(deleteItem, int64(100), p, 1, "b"), do(insertItem, p, 1, "b", x("v"), 1, int64(50)), do(allItems, p),
				do(allOfP, int64(200), p), do(insertItem, p, 2, "b", x("v"), 1, int64(200)), do(insertItem, p, 3, "b", x("v"), 1, int64(201)), do(allItems, p),
				do(static, int64(199), 5, p), do(allItems, p), do(static, int64(201), 6, p), do(allItems, p),
			}
		},
		"intervals": func(p int) []step {
			return []step{
				do(`DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a > ? AND a <= ?`, int64(100), p, 2, 5),
				batch(insertItem, vals(p, 1, "b", x("v"), 1, int64(50)), vals(p, 2, "b", x("v"), 1, int64(50)), vals(p, 3, "b", x("v"), 1, int64(50)),
					vals(p, 4, "b", x("v"), 1, int64(100)), vals(p, 5, "b", x("v"), 1, int64(101)), vals(p, 6, "b", x("v"), 1, int64(50))),
				do(allItems, p), do(itemTimes, p),
				do(prefixOfP, int64(60), p, 6), do(allItems, p), do(insertItem, p, 6, "c", x("v"), 1, int64(61)), do(allItems, p),
				do(`DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a = ? AND b >= ? AND b < ?`, int64(70), p, 6, "c", "d"), do(allItems, p),
				do(`DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a >= ?`, int64(102), p, 2), do(allItems, p),
				do(`DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a < ?`, int64(49), p, 2), do(allItems, p),
				do(`DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a < ?`, int64(50), p, 2), do(allItems, p),
			}
		},
		"overlapping intervals": func(p int) []step {
			return []step{
				do(`DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a >= ? AND a <= ?`, int64(10), p, 1, 6),
				do(`DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a >= ? AND a <= ?`, int64(30), p, 3, 4),
				do(`DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a >= ? AND a <= ?`, int64(20), p, 4, 9),
				do(prefixOfP, int64(20), p, 4),
				batch(insertItem, vals(p, 0, "", x("v"), 1, int64(15)), vals(p, 1, "", x("v"), 1, int64(15)), vals(p, 3, "", x("v"), 1, int64(25)), vals(p, 4, "", x("v"), 1, int64(31)),
					vals(p, 5, "", x("v"), 1, int64(15)), vals(p, 6, "", x("v"), 1, int64(25)), vals(p, 9, "z", x("v"), 1, int64(20)), vals(p, 10, "", x("v"), 1, int64(1))),
				do(allItems, p),
			}
		},
		"an interval and a row with the same timestamp": func(p int) []step {
			return []step{
				do(prefixOfP, int64(10), p, 1), do(deleteItem, int64(10), p, 1, "b"), do(insertItem, p, 1, "b", x("v"), 1, int64(10)), do(allItems, p),
				do(insertItem, p, 1, "b", x("v"), 1, int64(11)), do(allItems, p), do(deleteItem, int64(11), p, 1, "b"), do(prefixOfP, int64(11), p, 1), do(allItems, p),
			}
		},
		"static columns": func(p int) []step {
			return []step{
				do(allItems, p), do(static, int64(10), 7, p), do(allItems, p), do(`SELECT a, n FROM item WHERE p = ?`, p), do(`SELECT p FROM item WHERE p = ?`, p),
				do(`SELECT s FROM item WHERE p = ? AND a = ?`, p, 1), do(`SELECT p FROM item WHERE p = ? AND a = ?`, p, 1), do(`SELECT p FROM ids WHERE p = ? AND u = ?`, p, uid(1)), do(`SELECT s, a FROM item WHERE p = ? AND a > ?`, p, 0), paged(1, allItems, p),
				do(insertBare, p, 1, "b", int64(10)), do(allItems, p), do(itemTimes, p),
				do(`INSERT INTO item (p, a, b, s) VALUES (?, ?, ?, ?) USING TIMESTAMP ?`, p, 2, "c", 8, int64(11)), do(allItems, p), do(`SELECT s FROM item WHERE p = ? LIMIT ?`, p, 1),
				do(`INSERT INTO item (p, s) VALUES (?, ?) USING TIMESTAMP ?`, p, 9, int64(12)), do(allItems, p), paged(1, allItems, p), paged(2, allItems, p), paged(3, allItems, p),
				do(`DELETE s FROM item USING TIMESTAMP ? WHERE p = ?`, int64(13), p), do(allItems, p), do(itemTimes, p),
				do(prefixOfP, int64(20), p, 1), do(prefixOfP, int64(20), p, 2), do(static, int64(30), 3, p), do(allItems, p), do(allOfP, int64(30), p), do(allItems, p),
			}
		},
		"rows of INSERT and rows of UPDATE": func(p int) []step {
			return []step{
				do(insertItem, p, 1, "i", x("v"), nil, int64(10)), do(updateItem, int64(10), x("v"), p, 1, "u"), do(allItems, p),
				do(deleteValue, int64(11), p, 1, "i"), do(deleteValue, int64(11), p, 1, "u"), do(allItems, p),
				do(updateItem, int64(12), nil, p, 1, "w"), do(allItems, p), do(insertBare, p, 1, "u", int64(5)), do(allItems, p),
			}
		},
		"null and unset": func(p int) []step {
			return []step{
				do(insertItem, p, 1, "b", x("v"), 1, int64(10)), do(insertItem, p, 1, "b", unset, nil, int64(11)), do(allItems, p), do(itemTimes, p),
				do(updateItem, int64(12), unset, p, 1, "b"), do(allItems, p), do(updateItem, int64(12), []byte{}, p, 1, "b"), do(allItems, p), do(itemTimes, p),
				do(insertItem, nil, 1, "b", x("v"), 1, int64(10)), do(insertItem, p, nil, "b", x("v"), 1, int64(10)), do(insertItem, p, unset, "b", x("v"), 1, int64(10)),
				do(insertItem, unset, 1, "b", x("v"), 1, int64(10)), do(insertItem, p, 1, "b", x("v"), 1, nil), do(insertItem, p, 1, "b", x("v"), 1, unset),
				do(insertTTL, p, 5, "b", x("v"), 1, int64(10), 0), do(insertTTL, p, 6, "b", x("v"), 1, int64(10), unset), do(insertTTL, p, 7, "b", x("v"), 1, int64(10), -1),
				do(insertTTL, p, 8, "b", x("v"), 1, int64(10), 700_000_000), do(insertTTL, p, 9, "b", x("v"), 1, int64(10), nil), do(`SELECT a, v FROM item WHERE p = ? AND a > ?`, p, 1),
				do(`SELECT a FROM item WHERE p = ? AND a = ?`, p, nil), do(`SELECT a FROM item WHERE p = ?`, nil), do(`SELECT a FROM item WHERE p = ?`, unset),
				do(`SELECT a FROM item WHERE p = ? LIMIT ?`, p, 0), do(`SELECT a FROM item WHERE p = ? LIMIT ?`, p, nil), do(`SELECT a FROM item WHERE p = ? LIMIT ?`, p, unset),
				do(`SELECT a FROM item WHERE p = ? AND a IN ?`, p, nil), do(deleteItem, int64(20), p, nil, "b"), do(deleteItem, nil, p, 1, "b"),
			}
		},
		"IN": func(p int) []step {
			return []step{
				batch(insertItem, vals(p, 1, "b", x("1"), 1, int64(10)), vals(p, 2, "b", x("2"), 1, int64(10)), vals(p, 3, "b", x("3"), 1, int64(10)), vals(p, 3, "c", x("3"), 1, int64(10)), vals(p, 4, "b", x("4"), 1, int64(10))),
				do(`SELECT a, b, v FROM item WHERE p = ? AND a IN ?`, p, []int{1, 4, 1, 9, 3}), do(`SELECT a, b, v FROM item WHERE p = ? AND a IN ?`, p, []int{}),
				do(`SELECT a, b, v FROM item WHERE p = ? AND a = ? AND b IN ?`, p, 3, []string{"z", "c", "b", "c"}), paged(1, `SELECT a, b, v FROM item WHERE p = ? AND a IN ?`, p, []int{4, 3, 2}),
				do(`SELECT a FROM item WHERE p = ? AND a IN ? LIMIT ?`, p, []int{4, 3, 2}, 2), do(`SELECT a FROM item WHERE p = ? AND a IN (?, ?)`, p, 2, 1),
				do(`DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a = ? AND b IN ?`, int64(11), p, 3, []string{"c", "x", "c"}), do(allItems, p),
				do(`DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a IN ?`, int64(11), p, []int{1, 2}), do(allItems, p), do(`SELECT a FROM item WHERE p = ? AND a IN ? ORDER BY a ASC`, p, []int{3, 4}),
			}
		},
		"intervals over two columns": func(p int) []step {
			return []step{
				batch(`INSERT INTO trash (datacenter, hour, shard, mailbox, message, removed_at) VALUES ('dc1', ?, 3, ?, ?, 1) USING TIMESTAMP ?`,
					vals(p, uid(1), tid(1), int64(5)), vals(p, uid(1), tid(2), int64(5)), vals(p, uid(2), tid(1), int64(5)), vals(p, uid(2), tid(3), int64(5)), vals(p, uid(3), tid(1), int64(5))),
				do(`SELECT mailbox, message FROM trash WHERE datacenter = 'dc1' AND hour = ? AND shard = 3 AND (mailbox, message) > (?, ?)`, p, uid(1), tid(1)),
				do(`SELECT mailbox, message FROM trash WHERE datacenter = 'dc1' AND hour = ? AND shard = 3 AND (mailbox, message) >= (?, ?) AND (mailbox, message) < (?, ?)`, p, uid(1), tid(2), uid(2), tid(3)),
				do(`SELECT mailbox, message FROM trash WHERE datacenter = 'dc1' AND hour = ? AND shard = 3 AND (mailbox) > (?)`, p, uid(1)),
				do(`SELECT mailbox, message FROM trash WHERE datacenter = 'dc1' AND hour = ? AND shard = 3 AND mailbox = ? AND message IN ?`, p, uid(1), []gocql.UUID{tid(2), tid(9)}),
				do(`DELETE FROM trash USING TIMESTAMP ? WHERE datacenter = 'dc1' AND hour = ? AND shard = 3 AND (mailbox, message) >= (?, ?) AND (mailbox, message) <= (?, ?)`, int64(5), p, uid(1), tid(2), uid(2), tid(1)),
				do(`SELECT mailbox, message FROM trash WHERE datacenter = 'dc1' AND hour = ? AND shard = 3`, p),
			}
		},
		"reversed order": func(p int) []step {
			return []step{
				batch(insertItem, vals(p, 1, "b", x("1"), 1, int64(10)), vals(p, 2, "b", x("2"), 1, int64(10)), vals(p, 2, "c", x("2"), 1, int64(10)), vals(p, 3, "b", x("3"), 1, int64(10))),
				do(static, int64(10), 4, p), do(`DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a = ? AND b > ?`, int64(11), p, 2, "b"),
				do(`SELECT a, b, s FROM item WHERE p = ? ORDER BY a ASC, b DESC`, p), do(`SELECT a, b FROM item WHERE p = ? ORDER BY a ASC LIMIT ?`, p, 2), paged(1, `SELECT a, b, s FROM item WHERE p = ? ORDER BY a ASC`, p),
				do(`SELECT a, b FROM item WHERE p = ? AND a > ? ORDER BY a ASC`, p, 1), do(`SELECT a, b FROM item WHERE p = ? AND a <= ? ORDER BY a DESC`, p, 2), do(`SELECT a, b FROM item WHERE p = ? ORDER BY a ASC, b ASC`, p),
				do(`SELECT a, b FROM item WHERE p = ? ORDER BY b ASC`, p), paged(2, `SELECT a, b FROM item WHERE p = ? AND a < ? ORDER BY a ASC`, p, 3),
			}
		},
		"pages and LIMIT": func(p int) []step {
			rows := make([][]any, 12)
			for i := range rows {
				rows[i] = vals(p, i, "b", x("v"), i, int64(10))
			}
			steps := []step{batch(insertItem, rows...), do(static, int64(10), 1, p), do(`DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a >= ? AND a < ?`, int64(11), p, 3, 6), do(deleteItem, int64(11), p, 8, "b")}
			for size := 1; size <= 9; size++ {
				steps = append(steps, paged(size, `SELECT a, s FROM item WHERE p = ?`, p), paged(size, `SELECT a FROM item WHERE p = ? LIMIT ?`, p, 5), paged(size, `SELECT a FROM item WHERE p = ? AND a > ?`, p, 2))
			}
			return append(steps, do(prefixOfP, int64(12), p, 0), do(prefixOfP, int64(12), p, 1), do(prefixOfP, int64(12), p, 2), paged(5, `SELECT a FROM item WHERE p = ?`, p), paged(2, `SELECT a FROM item WHERE p = ?`, p),
				do(`DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a >= ?`, int64(20), p, 0), paged(2, `SELECT a, s FROM item WHERE p = ?`, p))
		},
		"collections": func(p int) []step {
			set := `UPDATE item USING TIMESTAMP ? SET e = ? WHERE p = ? AND a = ? AND b = ?`
			add := `UPDATE item USING TIMESTAMP ? SET e = e + ? WHERE p = ? AND a = ? AND b = ?`
			sub := `UPDATE item USING TIMESTAMP ? SET e = e - ? WHERE p = ? AND a = ? AND b = ?`
			return []step{
				do(add, int64(10), []string{"z", "a", "m"}, p, 1, "b"), do(allItems, p), do(add, int64(5), []string{"k"}, p, 1, "b"), do(sub, int64(10), []string{"a"}, p, 1, "b"), do(allItems, p),
				do(sub, int64(9), []string{"z"}, p, 1, "b"), do(allItems, p), do(set, int64(8), []string{"n"}, p, 1, "b"), do(allItems, p), do(set, int64(10), []string{"o"}, p, 1, "b"), do(allItems, p),
				do(set, int64(11), []string{"o", "p"}, p, 1, "b"), do(allItems, p), do(set, int64(12), []string{}, p, 1, "b"), do(allItems, p), do(add, int64(12), []string{"x"}, p, 1, "b"), do(allItems, p),
				do(set, int64(13), nil, p, 1, "b"), do(allItems, p), do(add, int64(13), []string{"y"}, p, 1, "b"), do(allItems, p), do(add, int64(14), []string{}, p, 1, "b"), do(allItems, p),
				do(`INSERT INTO item (p, a, b, e, m) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?`, p, 2, "b", []string{"q"}, map[string]string{"k": "v", "j": "w"}, int64(10)), do(allItems, p),
				do(`INSERT INTO item (p, a, b, e, m) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?`, p, 2, "b", nil, unset, int64(11)), do(allItems, p),
				do(`DELETE e FROM item USING TIMESTAMP ? WHERE p = ? AND a = ? AND b = ?`, int64(13), p, 1, "b"), do(allItems, p), do(add, int64(13), []string{"y"}, p, 1, "b"), do(allItems, p),
				do(`UPDATE item USING TIMESTAMP ? SET ss = ss + ? WHERE p = ?`, int64(10), []string{"st"}, p), do(allItems, p), do(`UPDATE item USING TIMESTAMP ? SET ss = ? WHERE p = ?`, int64(10), []string{"su"}, p), do(allItems, p),
				do(add, int64(20), nil, p, 1, "b"), do(add, int64(20), unset, p, 1, "b"), do(set, int64(20), unset, p, 1, "b"), do(allItems, p),
			}
		},
		"maps": func(p int) []step {
			return []step{
				do(`UPDATE item USING TIMESTAMP ? SET m = m + ? WHERE p = ? AND a = ? AND b = ?`, int64(10), map[string]string{"z": "1", "a": "2"}, p, 1, "b"), do(allItems, p),
				do(`UPDATE item USING TIMESTAMP ? SET m = m + ?, m = m - ? WHERE p = ? AND a = ? AND b = ?`, int64(11), map[string]string{"z": "3"}, []string{"a"}, p, 1, "b"), do(allItems, p),
				do(`UPDATE item USING TIMESTAMP ? SET m[?] = ? WHERE p = ? AND a = ? AND b = ?`, int64(11), "z", "2", p, 1, "b"), do(allItems, p),
				do(`UPDATE item USING TIMESTAMP ? SET m[?] = ? WHERE p = ? AND a = ? AND b = ?`, int64(12), "y", "", p, 1, "b"), do(allItems, p),
				do(`UPDATE item USING TIMESTAMP ? SET m[?] = ? WHERE p = ? AND a = ? AND b = ?`, int64(12), "z", nil, p, 1, "b"), do(allItems, p),
				do(`UPDATE item USING TIMESTAMP ? SET m = m + ? WHERE p = ? AND a = ? AND b = ?`, int64(12), map[string]string{"z": "3"}, p, 1, "b"), do(allItems, p),
				do(`UPDATE item USING TIMESTAMP ? SET m = ? WHERE p = ? AND a = ? AND b = ?`, int64(12), map[string]string{"new": "3"}, p, 1, "b"), do(allItems, p),
				do(`UPDATE item USING TIMESTAMP ? SET m = ? WHERE p = ? AND a = ? AND b = ?`, int64(13), map[string]string{}, p, 1, "b"), do(allItems, p),
			}
		},
		"types": func(p int) []step {
			put := `INSERT INTO item (p, a, b, v, n, t, f, l) VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?`
			return []step{
				do(put, p, -5, "", []byte{}, -1, 127, true, []int{3, 1, 2}, int64(10)), do(put, p, 1<<31-1, "ä", []byte{0, 255}, 0, -128, false, []int{}, int64(10)), do(put, p, -1<<31, "b\x00", nil, 0, 0, nil, nil, int64(10)),
				do(allItems, p), do(itemTimes, p), do(put, p, -5, "", []byte{0}, -2, -1, false, []int{3, 1, 3}, int64(10)), do(allItems, p),
				do(put, p, 7, "", nil, nil, nil, nil, nil, int64(10)), do(allItems, p), do(`INSERT INTO item (p, a, b, f, n) VALUES (?, 8, 'it''s', true, -7) USING TIMESTAMP 10`, p), do(allItems, p),
			}
		},
		"orders of keys": func(p int) []step {
			v4, v1 := uid(1), tid(77)
			other := gocql.UUID{0x01, 0x77, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 9}
			signed := v1
			signed[9] = 0xf0
			put := `INSERT INTO ids (p, u, t, o, n) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP 5`
			return []step{
				batch(put, vals(p, v4, v1, x("a"), int64(1)), vals(p, other, v1, x("a"), int64(1)), vals(p, v1, v1, x("a"), int64(1)), vals(p, tid(1), v1, x("a"), int64(1)), vals(p, signed, v1, x("a"), int64(1)),
					vals(p, v4, signed, x("a"), int64(1)), vals(p, v4, tid(1), x("a"), int64(1)), vals(p, v4, tid(1<<40), x("a"), int64(1)),
					vals(p, v4, v1, []byte{}, int64(1)), vals(p, v4, v1, []byte{0}, int64(1)), vals(p, v4, v1, []byte{0, 0}, int64(1)), vals(p, v4, v1, []byte{255}, int64(1)), vals(p, v4, v1, []byte{255, 0}, int64(1)), vals(p, v4, v1, x("aa"), int64(1)),
					vals(p, v4, v1, x("a"), int64(-1)), vals(p, v4, v1, x("a"), int64(1)<<62), vals(p, v4, v1, x("a"), -int64(1)<<62)),
				do(`SELECT u, t, o, n FROM ids WHERE p = ?`, p), do(`SELECT u, t, o, n FROM ids WHERE p = ? ORDER BY u DESC`, p), do(`SELECT o, n FROM ids WHERE p = ? AND u = ? AND t = ? AND (o, n) < (?, ?)`, p, v4, v1, x("a"), int64(1)),
				do(`SELECT o, n FROM ids WHERE p = ? AND u = ? AND t = ? AND (o, n) > (?, ?)`, p, v4, v1, x("a"), int64(1)), do(`SELECT o, n FROM ids WHERE p = ? AND u = ? AND t = ? AND o >= ?`, p, v4, v1, []byte{0}),
				do(`SELECT t FROM ids WHERE p = ? AND u = ? AND t < ?`, p, v4, v1), do(`SELECT u FROM ids WHERE p = ? AND u > ?`, p, other),
			}
		},
		"expiry": func(p int) []step {
			return []step{
				do(insertTTL, p, 1, "b", x("v"), 1, int64(10), 20), do(insertItem, p, 2, "b", x("v"), 1, int64(10)), do(`UPDATE item USING TTL ? AND TIMESTAMP ? SET n = ? WHERE p = ? AND a = ? AND b = ?`, 20, int64(11), 9, p, 2, "b"),
				do(`UPDATE item USING TTL ? AND TIMESTAMP ? SET s = ? WHERE p = ?`, 20, int64(11), 9, p), do(insertTTL, p, 3, "b", x("v"), 1, int64(10), 5000), do(updateItem, int64(11), x("stays"), p, 1, "b"), do(allItems, p), do(itemTimes, p),
				{wait: 22 * time.Second}, do(allItems, p), do(itemTimes, p), paged(1, allItems, p),
				do(insertItem, p, 2, "b", x("v"), 1, int64(10)), do(allItems, p), do(insertItem, p, 2, "b", x("v"), 1, int64(12)), do(allItems, p),
			}
		},
		"partitions without clustering": func(p int) []step {
			name := string(rune('a' + p))
			one := `SELECT p, v, w, WRITETIME(v), TTL(w) FROM single WHERE p = ?`
			return []step{
				do(`INSERT INTO single (p, v) VALUES (?, ?) USING TIMESTAMP ?`, name, 1, int64(10)), do(one, name), paged(1, one, name), paged(2, one, name), do(`UPDATE single USING TIMESTAMP ? SET v = ? WHERE p = ?`, int64(11), nil, name), do(one, name),
				do(`DELETE FROM single USING TIMESTAMP ? WHERE p = ?`, int64(11), name), do(one, name), do(`UPDATE single USING TIMESTAMP ? SET w = ? WHERE p = ?`, int64(12), "w", name), do(one, name),
				do(`UPDATE single USING TIMESTAMP ? SET w = ? WHERE p = ?`, int64(13), nil, name), do(one, name), do(`INSERT INTO single (p, v) VALUES ('', 1) USING TIMESTAMP 10`), do(`SELECT v FROM single WHERE p = ''`),
				do(`INSERT INTO single (p) VALUES (?) USING TIMESTAMP ?`, name, int64(20)), do(one, name), do(`SELECT p FROM single WHERE p = ? LIMIT 5`, name),
			}
		},
		"batches": func(p int) []step {
			return []step{
				batch(insertItem, vals(p, 1, "b", x("1"), 1, int64(10)), vals(p, 1, "b", x("2"), 1, int64(10)), vals(p, 1, "c", x("1"), nil, int64(11)), vals(p, 1, "c", x("0"), 5, int64(11))), do(allItems, p), do(itemTimes, p),
				batch(deleteItem, vals(int64(12), p, 1, "b"), vals(int64(10), p, 1, "c")), do(allItems, p),
				// Both rows end in the same second.
				batch(insertTTL, vals(p, 2, "b", x("1"), 1, int64(10), 1000), vals(p, 2, "b", x("2"), 0, int64(10), 1000)), do(allItems, p), do(itemTimes, p),
			}
		},
		"refused statements": func(p int) []step {
			return []step{
				do(`INSERT INTO item (p, a) VALUES (?, ?) USING TIMESTAMP 1`, p, 1), do(`INSERT INTO item (p, v) VALUES (?, ?) USING TIMESTAMP 1`, p, x("")), do(`UPDATE item USING TIMESTAMP 1 SET n = 1 WHERE p = ? AND a = ?`, p, 1),
				do(`DELETE n FROM item USING TIMESTAMP 1 WHERE p = ? AND a = ?`, p, 1), do(`SELECT a FROM item WHERE p = ? AND b = ?`, p, "b"), do(`SELECT a FROM item WHERE a = ?`, 1), do(`SELECT nothing FROM item WHERE p = ?`, p),
				do(`SELECT WRITETIME(p) FROM item WHERE p = ?`, p), do(`UPDATE item USING TIMESTAMP 1 SET a = 1 WHERE p = ?`, p), do(`DELETE FROM item USING TIMESTAMP 1 WHERE p = ? AND b = ?`, p, "b"), do(`SELECT a FROM item WHERE p = ? ORDER BY a ASC, b ASC`, p),
			}
		},
	}
}

// numbers lists 0 to n-1 as texts.
func numbers(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

// productTruths returns cases with statements of the engine.
func productTruths(t *testing.T) map[string]func(p int) []step {
	st := productStatements(t)
	for _, name := range []string{"insertMessage", "markBulk", "listMessages", "listSlice", "selectAlive", "deleteMessages", "deleteBelow", "scanContents", "addRemoved", "listTraceAfter"} {
		if st[name] == "" {
			t.Fatalf("the engine has no statement %s", name)
		}
	}
	message := func(p, i int, at int64) []any {
		return vals(uid(byte(p)), 0, tid(int64(i)), int64(i), "r", unset, nil, unset, at)
	}
	return map[string]func(p int) []step{
		"a mailbox": func(p int) []step {
			mb := uid(byte(p))
			list := func(size int) step { return paged(size, st["listMessages"], mb, 0, tid(0), 100) }
			return []step{
				batch(st["insertMessage"], message(p, 1, 10), message(p, 2, 10), message(p, 3, 10), message(p, 5, 10)), list(2), do(st["markBulk"], mb, 0, tid(4), int64(77), int64(11)), list(3), list(100),
				do(st["listSlice"], mb, 0, tid(1), tid(4), 10), do(st["selectAlive"], mb, 0, []gocql.UUID{tid(3), tid(4), tid(9)}), do(st["selectBulk"], mb, 0, tid(4)), do(st["selectMessage"], mb, 0, tid(4)),
				do(st["deleteMessages"], int64(12), mb, 0, []gocql.UUID{tid(3), tid(4)}), list(2), do(st["deleteBelow"], int64(9), mb, 0, tid(2)), list(10), do(st["deleteBelow"], int64(12), mb, 0, tid(2)), list(10),
				batch(st["insertMessage"], message(p, 2, 12), message(p, 3, 13)), list(10), do(st["holdFloor"], mb, int64(5), 600, int64(10)), do(st["insertFloor"], mb, tid(2), int64(10)), do(st["selectFloor"], mb),
			}
		},
		"contents": func(p int) []step {
			steps := []step{}
			for i := range 8 {
				steps = append(steps, do(st["insertFirstChunk"], tid(int64(i)), 0, x("data"), int64(4), 1, []any{1, nil, unset}[i%3], []gocql.UUID{uid(1), uid(2)}, unset, int64(10)), do(st["addRemoved"], int64(12), []gocql.UUID{uid(byte(i)), tid(3)}, tid(int64(i)), 0))
			}
			steps = append(steps, do(st["deleteChunk"], int64(10), tid(2), 0), do(st["deleteChunk"], int64(12), tid(3), 0), do(st["selectContent"], tid(2), 0), do(st["selectFirstChunk"], tid(1), 0), do(st["selectContent"], tid(3), 0))
			for size := 1; size < 9; size++ {
				steps = append(steps, paged(size, st["scanContents"], int64(-1<<63), 100), paged(size, st["scanContents"], int64(-1<<62), 5), paged(size, st["listContents"], int64(0), 3))
			}
			return append(steps, do(`SELECT message FROM content WHERE token(message, chunk) >= ? AND token(message, chunk) <= ?`, int64(-1<<61), int64(1<<61)), do(`SELECT message FROM content LIMIT 3`))
		},
		"a journal": func(p int) []step {
			var rows [][]any
			for i := range 9 {
				rows = append(rows, vals(p, 1, x(string(rune('a'+i/6))), int64(i/2), []byte{byte(i % 2)}, x("data"), int64(10), 5000))
			}
			steps := []step{batch(st["insertTrace"], rows...)}
			for i := range 4 {
				steps = append(steps, paged(2, st["listTrace"], p, 1, x("a"), int64(i), []byte{1}, 4), paged(2, st["listTraceAfter"], p, 1, x("a"), int64(i), []byte{0}, 3), do(st["listTraceAfter"], p, 1, x("b"), int64(i), []byte{0}, 3))
			}
			return steps
		},
		"an address": func(p int) []step {
			update := func(assignments string) string { // see updateAddress
				return "UPDATE address USING TIMESTAMP ? SET " + assignments + " WHERE domain = ? AND shard = ? AND local = ? AND generation = ?"
			}
			get := do(st["selectAddresses"], "d", p, "l")
			return []step{
				do(update("kind = ?, targets = targets + ?, touched = ?"), int64(10), "alias", []string{"b@x", "a@x"}, true, "d", p, "l", uid(1)), get, do(update("targets = targets - ?, touched = ?"), int64(11), []string{"a@x"}, true, "d", p, "l", uid(1)), get,
				do(update("settings = settings + ?, settings = settings - ?"), int64(12), map[string]string{"k": "v"}, []string{"j"}, "d", p, "l", uid(1)), get, do(st["selectAddressTimes"], "d", p, "l", uid(1)),
				do(update("state = ?"), int64(9), "closed", "d", p, "l", uid(2)), get, do(st["searchAddresses"], "d", p, "a", "z", 5), paged(1, st["listAddresses"], "d", p, "a", 10),
				do(`UPDATE domain USING TIMESTAMP ? SET created = ?, settings = ? WHERE name = ?`, int64(10), int64(5), map[string]string{"a": "b"}, "d"), do(st["selectDomain"], "d"), do(st["scanRemoved"]), do(st["selectDomainTimes"], "d"),
			}
		},
		"zz too many tombstones": func(p int) []step {
			read := do(`SELECT a FROM item WHERE p = ?`, p)
			return []step{
				do(`DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a = ? AND b IN ?`, int64(10), p, 1, numbers(2000)), read, do(deleteItem, int64(10), p, 0, "one"), read, paged(10, `SELECT a FROM item WHERE p = ?`, p),
				do(insertItem, p, 2, "b", x("v"), 1, int64(10)), do(`SELECT a FROM item WHERE p = ? LIMIT 1`, p), paged(1, `SELECT a FROM item WHERE p = ?`, p), do(allOfP, int64(10), p), read,
				do(insertItem, p+1000, 1, "b", nil, nil, int64(10)), do(`DELETE FROM item USING TIMESTAMP ? WHERE p = ? AND a = ? AND b IN ?`, int64(11), p+1000, 1, numbers(1998)), do(`SELECT a FROM item WHERE p = ?`, p+1000),
				do(insertItem, p+1000, 1, "c", nil, nil, int64(10)), do(`SELECT a FROM item WHERE p = ?`, p+1000), do(allOfP, int64(10), p+1000),
			}
		},
		"tokens": func(p int) []step {
			var steps []step
			for n := 1; n < 36; n++ {
				key := strings.Repeat("kü", n)[:n-n%2] + "abc"[:1+n%3]
				key = strings.ToValidUTF8(key, "")
				steps = append(steps, do(`INSERT INTO single (p, v) VALUES (?, ?) USING TIMESTAMP 10`, key, n), do(`SELECT token(p), v FROM single WHERE p = ?`, key))
			}
			return steps
		},
		"zy everything": func(p int) []step {
			var steps []step
			for size := 1; size < 40; size += 3 {
				steps = append(steps, paged(size, `SELECT p, a, b, s FROM item`), paged(size, `SELECT p, v FROM single`), paged(size, `SELECT p FROM ids WHERE token(p) > ? LIMIT 20`, int64(0)))
			}
			return steps
		},
	}
}

func TestTruth(t *testing.T) {
	cases := truths()
	maps.Copy(cases, productTruths(t))
	names := slices.Sorted(maps.Keys(cases))
	steps := make([][]step, len(names))
	for i, name := range names {
		steps[i] = cases[name](i)
	}
	fake, fakeSeconds := onFake(t, steps)
	node := realSession(t)
	for i, name := range names {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			if truth := compare(t, node, steps[i], fake[i], fakeSeconds[i]); len(truth) == 0 {
				t.Error("the case shows nothing")
			}
		})
	}
}
