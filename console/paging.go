package console

import "net/url"

// pageSize is the number of entries on a page of a list.
const pageSize = 50

// paging leads to the next and the first page of a list.
type paging struct {
	First string // URL of the first page; empty: this is the first
	Next  string // URL of the next page; empty: this is the last
}

// pagingOf returns the paging of a list at a path with its parameters. next is the after of the next page;
// empty: none.
func pagingOf(path string, query url.Values, next string) paging {
	return pagingBy("after", path, query, next)
}

// pagingBy is pagingOf with another parameter in place of after.
func pagingBy(position, path string, query url.Values, next string) paging {
	q := url.Values{}
	for name, values := range query {
		if name != position && name != "done" && len(values) > 0 && values[0] != "" {
			q[name] = values
		}
	}
	link := func(after string) string {
		if after != "" {
			q.Set(position, after)
		}
		if len(q) == 0 {
			return path
		}
		return path + "?" + q.Encode()
	}
	var p paging
	if query.Get(position) != "" {
		p.First = link("")
	}
	if next != "" {
		p.Next = link(next)
	}
	return p
}

// with returns a path with parameters, given as names and values in turn.
func with(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return path + "?" + q.Encode()
}

// gather asks for the entries behind a position until a page has limit entries, the list ends, or Config.Search has
// passed. ask returns up to limit entries, the position of the next ones (empty: none), and the parts that cannot be read, which
// gather returns for all entries.
func gather[T any](c *console, after string, limit int, ask func(after string, limit int) (some []T, next string, unread []string, err error)) (all []T, next string, unread []string, err error) {
	for end := c.cfg.Now().Add(c.cfg.Search); ; {
		some, next, parts, err := ask(after, limit-len(all))
		all, unread = append(all, some...), append(unread, parts...)
		if err != nil || next == "" || len(all) >= limit || !c.cfg.Now().Before(end) {
			return all, next, unread, err
		}
		after = next
	}
}
