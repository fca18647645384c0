package maildrop_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"popelago/mail"
	"popelago/maildrop"
	"popelago/store"
	"popelago/store/storetest"
)

// rowStore is a mailbox of rows without contents. OpenContent only compares its arguments with the
// row.
type rowStore struct {
	store.Mail
	page int // most rows in a page

	mu      sync.Mutex
	rows    []mail.Message // in the order of their ids
	removed []mail.MessageID
}

func (s *rowStore) ListMessages(_ context.Context, _ mail.MailboxID, after mail.MessageID, limit int) ([]mail.Message, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, found := s.search(after)
	if found {
		from++
	}
	rows := s.rows[from:]
	if n := min(limit, s.page); len(rows) > n {
		return slices.Clone(rows[:n]), true, nil
	}
	return slices.Clone(rows), false, nil
}

func (s *rowStore) RemoveListed(_ context.Context, _ mail.MailboxID, rows []mail.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range rows {
		s.removed = append(s.removed, row.ID)
	}
	s.remove(s.removed)
	return nil
}

func (s *rowStore) remove(ids []mail.MessageID) {
	for _, id := range ids {
		if i, found := s.search(id); found {
			s.rows = slices.Delete(s.rows, i, i+1)
		}
	}
}

func (s *rowStore) search(id mail.MessageID) (int, bool) {
	return slices.BinarySearchFunc(s.rows, id, func(m mail.Message, id mail.MessageID) int { return m.ID.Compare(id) })
}

func (s *rowStore) insert(m mail.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, _ := s.search(m.ID)
	s.rows = slices.Insert(s.rows, i, m)
}

// OpenContent expects the origin to be "at " and the recipient, or empty.
func (s *rowStore) OpenContent(_ context.Context, id mail.MessageID, origin string) (store.ContentInfo, io.ReadCloser, error) {
	row, err := s.Message(context.Background(), box, id)
	if err == nil && row.Origin != origin {
		err = fmt.Errorf("origin %q, want %q", origin, row.Origin)
	}
	size := row.Size - int64(len(mail.DeliveryHeader(sender, row.Recipient)))
	return store.ContentInfo{ReversePath: sender, Size: size}, io.NopCloser(nil), err
}

func (s *rowStore) Message(_ context.Context, _ mail.MailboxID, id mail.MessageID) (mail.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := s.search(id)
	if !found {
		return mail.Message{}, store.ErrNotFound
	}
	return s.rows[i], nil
}

// rowsOf makes n rows of one recipient.
func rowsOf(n int, ids *mail.IDSource) []mail.Message {
	rows := make([]mail.Message, n)
	for i := range rows {
		rows[i] = mail.Message{ID: ids.Next(), Size: int64(1000 + i%5000), Recipient: recipient, Origin: "dc1"}
	}
	return rows
}

func openIn(t testing.TB, lists *maildrop.Lists, st store.Mail) *maildrop.Maildrop {
	t.Helper()
	d, err := maildrop.Open(context.Background(), store.OneLevel(st), box, maildrop.Options{Lists: lists})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// heap is the memory in use, in octets.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The list of all sessions of a mailbox together takes less than 80 octets for each message, and no
// memory after the end of the last session.
func TestListsAreShared(t *testing.T) {
	const n, sessions = 200_000, 5
	st := &rowStore{page: 5000, rows: rowsOf(n, mail.NewIDSource(nil))}
	lists := maildrop.NewLists()
	empty := heap()
	drops := []*maildrop.Maildrop{openIn(t, lists, st)}
	one, told := heap()-empty, lists.Octets()
	if one > 40*n {
		t.Errorf("one session: %d octets for each message", one/n)
	}
	if off := told - one; off > one/8 || -off > one/8 {
		t.Errorf("Octets tells %d, the heap has %d", told, one)
	}
	for range sessions - 1 {
		drops = append(drops, openIn(t, lists, st))
	}
	for i, d := range drops {
		d.Mark(1 + i)
	}
	all := heap() - empty
	if all > 48*n {
		t.Errorf("%d sessions: %d octets, one alone: %d", sessions, all, one)
	}
	if lists.Octets() != told {
		t.Errorf("Octets tells %d for %d sessions, %d for one", lists.Octets(), sessions, told)
	}
	for i, d := range drops {
		if d.Close(); i < sessions-1 && lists.Octets() != told {
			t.Fatalf("%d octets after %d sessions ended, before: %d", lists.Octets(), i+1, told)
		}
	}
	if lists.Octets() != 0 {
		t.Errorf("%d octets when no session is left", lists.Octets())
	}
	if left := heap() - empty; left > n {
		t.Errorf("%d octets of heap when no session is left", left)
	}
	runtime.KeepAlive(st)
	runtime.KeepAlive(drops)
}

// A change between two logins costs a few blocks and not a whole list.
func TestListsShareWhatIsEqual(t *testing.T) {
	const n = 50_000
	ids := mail.NewIDSource(nil)
	first := ids.Next()
	st := &rowStore{page: 5000, rows: rowsOf(n, ids)}
	lists := maildrop.NewLists()
	openIn(t, lists, st)
	told := lists.Octets()
	changes := []struct {
		name   string
		change func()
	}{
		{"the oldest is removed", func() { st.rows = st.rows[1:] }},
		{"1,500 of the oldest are removed", func() { st.rows = st.rows[1500:] }},
		{"one in the midst is removed", func() { st.rows = slices.Delete(st.rows, 20_000, 20_001) }},
		{"the newest is removed", func() { st.rows = st.rows[:len(st.rows)-1] }},
		{"one is delivered", func() { st.insert(rowsOf(1, ids)[0]) }},
		{"one is late and becomes the oldest", func() { st.insert(mail.Message{ID: first, Size: 1, Recipient: recipient}) }},
	}
	for _, c := range changes {
		c.change()
		d := openIn(t, lists, st)
		checkStat(t, d, len(st.rows), total(st.rows))
		if more := lists.Octets() - told; more > 30*6000 {
			t.Errorf("%s: %d octets more", c.name, more)
		}
		told = lists.Octets()
	}
}

func total(rows []mail.Message) (octets int64) {
	for _, m := range rows {
		octets += m.Size
	}
	return octets
}

// No list is stale: a login sees all earlier deliveries and removals, even while another session holds
// an older list.
func TestListsAreNeverStale(t *testing.T) {
	ctx := context.Background()
	st, ids := openStore(t), mail.NewIDSource(nil)
	lists := maildrop.NewLists()
	a, b := add(t, st, ids, []byte("a\r\n"), nil), add(t, st, ids, []byte("bb\r\n"), nil)
	first := openIn(t, lists, st)
	c := add(t, st, ids, []byte("ccc\r\n"), nil)
	second := openIn(t, lists, st)
	checkStat(t, first, 2, a.Size+b.Size)
	checkStat(t, second, 3, a.Size+b.Size+c.Size)

	second.Mark(1)
	checkStat(t, first, 2, a.Size+b.Size) // marks are not shared
	if _, err := second.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	third := openIn(t, lists, st)
	checkStat(t, third, 2, b.Size+c.Size)
	if e, err := third.Entry(1); err != nil || e.UIDL != b.ID.UIDL() {
		t.Errorf("message 1: %+v, %v, want %s", e, err, b.ID.UIDL())
	}
	checkStat(t, first, 2, a.Size+b.Size) // frozen
	for _, d := range []*maildrop.Maildrop{second, first, third, third} {
		d.Close()
	}
	if lists.Octets() != 0 {
		t.Errorf("%d octets when no session is left", lists.Octets())
	}
	checkStat(t, third, 0, 0)
}

// A list that could not be read to its end takes no memory.
func TestListsAfterFaults(t *testing.T) {
	st := &rowStore{page: 700, rows: rowsOf(3000, mail.NewIDSource(nil))}
	storetest.EachFault(t, func(t *testing.T, wrap func(store.Store) store.Store) {
		lists := maildrop.NewLists()
		d, err := maildrop.Open(context.Background(), wrap(storetest.WithMail(store.Store{}, st)).Mail, box, maildrop.Options{Lists: lists})
		if err == nil {
			d.Close()
		}
		if lists.Octets() != 0 {
			t.Errorf("%d octets are left behind Open: %v", lists.Octets(), err)
		}
	})
}

// Sessions and messages come and go: every list was once the list of the mailbox.
func TestListsOfManySessions(t *testing.T) {
	const writers, sessions, rounds = 2, 4, 15
	ids := mail.NewIDSource(nil)
	st := &rowStore{page: 500, rows: rowsOf(3000, ids)}
	lists := maildrop.NewLists()
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range rounds {
				st.insert(rowsOf(1, ids)[0])
				st.mu.Lock()
				st.rows = st.rows[1:]
				st.mu.Unlock()
			}
		})
	}
	for range sessions {
		wg.Go(func() {
			for range rounds {
				d := openIn(t, lists, st)
				var octets int64
				seen := map[mail.UIDL]bool{}
				for n := 1; n <= d.Len(); n++ {
					e, err := d.Entry(n)
					if err != nil || seen[e.UIDL] {
						t.Errorf("message %d: %+v, %v", n, e, err)
					}
					seen[e.UIDL] = true
					octets += e.Size
				}
				checkStat(t, d, d.Len(), octets)
				for n := 1; n <= d.Len(); n += 7 {
					d.Mark(n)
				}
				d.Close()
			}
		})
	}
	wg.Wait()
	if lists.Octets() != 0 {
		t.Errorf("%d octets when no session is left", lists.Octets())
	}
}

// modelled is an open maildrop with its expected content.
type modelled struct {
	drop   *maildrop.Maildrop
	groups [][]mail.Message // for each message, its rows
	marked map[int]bool
}

// groupsOf returns the messages of rows, in order: rows with equal unique-ids are a single message.
func groupsOf(rows []mail.Message) (groups [][]mail.Message) {
	at := map[mail.UIDL]int{}
	for _, m := range rows {
		u := m.UniqueID()
		if i, ok := at[u]; ok {
			groups[i] = append(groups[i], m)
			continue
		}
		at[u] = len(groups)
		groups = append(groups, []mail.Message{m})
	}
	return groups
}

func (m *modelled) check(t *testing.T, st *rowStore) {
	t.Helper()
	var octets int64
	for i, rows := range m.groups {
		e, err := m.drop.Entry(i + 1)
		if m.marked[i+1] {
			if err != maildrop.ErrMarked {
				t.Fatalf("marked message %d: %v", i+1, err)
			}
			continue
		}
		octets += rows[0].Size
		if want := (maildrop.Entry{Number: i + 1, Size: rows[0].Size, UIDL: rows[0].UniqueID()}); err != nil || e != want {
			t.Fatalf("message %d: %+v, %v, want %+v", i+1, e, err, want)
		}
	}
	checkStat(t, m.drop, len(m.groups)-len(m.marked), octets)
	if m.drop.Len() != len(m.groups) {
		t.Fatalf("%d messages, want %d", m.drop.Len(), len(m.groups))
	}
}

// checkRead reads several messages that still exist.
func (m *modelled) checkRead(t *testing.T, st *rowStore, r *rand.Rand) {
	t.Helper()
	for range min(20, len(m.groups)) {
		i := r.IntN(len(m.groups))
		if _, err := st.Message(context.Background(), box, m.groups[i][0].ID); err != nil || m.marked[i+1] {
			continue
		}
		reader, err := m.drop.Read(context.Background(), i+1)
		if err != nil || reader.Size != m.groups[i][0].Size {
			t.Fatalf("read message %d: %v", i+1, err)
		}
	}
}

// commit removes the marked messages: all rows of each message, and no further rows.
func (m *modelled) commit(t *testing.T, st *rowStore) {
	t.Helper()
	var want []mail.MessageID
	for n := range m.marked {
		for _, row := range m.groups[n-1] {
			want = append(want, row.ID)
		}
	}
	st.removed = nil
	if _, err := m.drop.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(want, mail.MessageID.Compare)
	got := slices.Clone(st.removed)
	slices.SortFunc(got, mail.MessageID.Compare)
	if !slices.Equal(got, want) {
		t.Fatalf("%d rows were removed, want %d", len(got), len(want))
	}
}

// A list of any kind stays as the mailbox was at Open, until the list is closed. Later deliveries,
// removals and ends of sessions do not change the list.
func TestListsAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for run := range 8 {
		ids := mail.NewIDSource(nil)
		st := &rowStore{page: 1 + r.IntN(1000)}
		lists := maildrop.NewLists()
		var open []*modelled
		random := func() mail.Message {
			m := mail.Message{ID: ids.Next(), Recipient: fmt.Sprintf("r%d@example.test", r.IntN(1+run*run*20))}
			if r.IntN(2) == 0 {
				m.Origin = "at " + m.Recipient
			}
			m.Size = int64(len(mail.DeliveryHeader(sender, m.Recipient))) + r.Int64N(1<<(1+r.IntN(60)))
			switch r.IntN(1 + 3*(run%4)) {
			case 1:
				m.UIDL = mail.UIDL(fmt.Sprintf("own-%d", r.IntN(2000)))
			case 2:
				m.UIDL = m.ID.UIDL()
			case 3:
				if len(st.rows) > 0 { // restored
					m.UIDL = st.rows[r.IntN(len(st.rows))].UniqueID()
				}
			}
			return m
		}
		for range 1 + r.IntN(1500) {
			st.rows = append(st.rows, random())
		}
		late := mail.NewIDSource(nil).Next()
		for range 20 {
			switch r.IntN(6) {
			case 0, 1:
				d := openIn(t, lists, st)
				open = append(open, &modelled{d, groupsOf(st.rows), map[int]bool{}})
			case 2:
				for range r.IntN(50) {
					st.insert(random())
				}
			case 3:
				if n := len(st.rows); n > 0 {
					from := r.IntN(n)
					st.rows = slices.Delete(slices.Clone(st.rows), from, min(n, from+1+r.IntN(300)))
				}
			case 4:
				for range min(1, len(open)) {
					m := open[r.IntN(len(open))]
					for range 40 {
						if n := 1 + r.IntN(len(m.groups)+1); m.drop.Mark(n) == nil {
							m.marked[n] = true
						}
					}
					if r.IntN(3) == 0 {
						m.drop.Reset()
						clear(m.marked)
					}
				}
			case 5:
				if len(open) > 0 {
					i := r.IntN(len(open))
					open[i].commit(t, st)
					open[i].drop.Close()
					open = slices.Delete(open, i, i+1)
				}
			}
			for _, m := range open {
				m.check(t, st)
				m.checkRead(t, st, r)
			}
		}
		if _, there := st.search(late); !there {
			st.insert(mail.Message{ID: late, Size: 1})
		}
		last := openIn(t, lists, st)
		(&modelled{last, groupsOf(st.rows), nil}).check(t, st)
		r.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
		for _, m := range open {
			m.drop.Close()
			(&modelled{last, groupsOf(st.rows), nil}).check(t, st)
		}
		last.Close()
		if lists.Octets() != 0 {
			t.Fatalf("run %d: %d octets when no session is left", run, lists.Octets())
		}
	}
}
