package cassandra_test

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/prometheus/client_golang/prometheus"

	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra"
)

// logLines collects the lines of a log.
type logLines struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// with returns the lines that contain a text.
func (l *logLines) with(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, text) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func (l *logLines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// choking is a dialer whose connections pass on no answer of more than most octets, as if the node were too slow:
// they swallow the first such answer, and replace the further ones with the error of a read that timed out. With most
// 0 the connections pass on every answer.
type choking struct {
	most  atomic.Int64
	large atomic.Int64 // answers of more than most octets
}

// DialContext implements gocql.Dialer.
func (c *choking) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	node, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	ours, driver := net.Pipe()
	go func() {
		defer node.Close()
		_, _ = io.Copy(node, ours)
	}()
	go func() {
		defer ours.Close()
		c.answers(ours, node)
	}()
	return dialed{driver, node}, nil
}

// answers passes on the answers of a node, frame by frame (native protocol v4, section 2: version,
// flags, stream (2), opcode, length (4)).
func (c *choking) answers(to io.Writer, node io.Reader) {
	for {
		frame := make([]byte, 9)
		if _, err := io.ReadFull(node, frame); err != nil {
			return
		}
		length := binary.BigEndian.Uint32(frame[5:])
		frame = append(frame, make([]byte, length)...)
		if _, err := io.ReadFull(node, frame[9:]); err != nil {
			return
		}
		if most := c.most.Load(); most > 0 && int64(length) > most {
			if c.large.Add(1) == 1 {
				continue
			}
			frame = readTimeout(frame)
		}
		if _, err := to.Write(frame); err != nil {
			return
		}
	}
}

// readTimeout returns the answer that a read timed out, in place of the answer frame (section 9: code, message,
// consistency, received, blockfor, data_present).
func readTimeout(frame []byte) []byte {
	const message = "no replica answered in time"
	body := binary.BigEndian.AppendUint32(nil, gocql.ErrCodeReadTimeout)
	body = append(binary.BigEndian.AppendUint16(body, uint16(len(message))), message...)
	body = binary.BigEndian.AppendUint16(body, uint16(gocql.LocalQuorum))
	body = append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(body, 0), 1), 0)
	header := []byte{frame[0], 0, frame[2], frame[3], 0} // no flags, the stream, and the opcode of an error
	return append(binary.BigEndian.AppendUint32(header, uint32(len(body))), body...)
}

// dialed is a pipe with the addresses of the connection behind the pipe.
type dialed struct {
	net.Conn
	node net.Conn
}

func (d dialed) LocalAddr() net.Addr  { return d.node.LocalAddr() }
func (d dialed) RemoteAddr() net.Addr { return d.node.RemoteAddr() }

// listAll reads the whole list of a mailbox as sessions do.
func listAll(t testing.TB, s *cassandra.Store, mb mail.MailboxID) ([]mail.MessageID, error) {
	t.Helper()
	var found []mail.MessageID
	for after, more := (mail.MessageID{}), true; more; {
		rows, again, err := s.ListMessages(t.Context(), mb, after, 5000)
		if err != nil {
			return found, err
		}
		for _, m := range rows {
			found = append(found, m.ID)
			after = m.ID
		}
		more = again
	}
	return found, nil
}

// addMany adds messages to a mailbox and returns their ids.
func addMany(t testing.TB, s *cassandra.Store, mb mail.MailboxID, n int) []mail.MessageID {
	t.Helper()
	all := make([]mail.MessageID, n)
	for i := range all {
		all[i] = ids.Next()
	}
	for some := range slices.Chunk(all, 500) {
		var entries []store.Entry
		for _, id := range some {
			entries = append(entries, store.Entry{Mailbox: mb, Message: mail.Message{ID: id, Size: 10, Recipient: "alice@example.test"}})
		}
		for _, err := range s.AddMessages(t.Context(), entries) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}

// A page that no node answers in time is read in small pages: the list is complete, one line of the
// log says why, and the next list of the mailbox begins with the size found.
func TestPageTimesOut(t *testing.T) {
	cfg := config(t)
	var log logLines
	dialer := &choking{}
	registry := prometheus.NewRegistry()
	cfg.Timeout, cfg.Retries, cfg.SpeculativeDelay = 20*time.Second, 1, -1 // one answer is swallowed: the rest of the test must not be slower
	cfg.Logger, cfg.Registerer = log.logger(), registry
	cfg.Heartbeat = time.Hour
	cfg = cfg.DialedBy(dialer)
	s := open(t, cfg)
	mb := mailbox("large")
	want := addMany(t, s, mb, 1200)

	began := time.Now()
	dialer.most.Store(20_000) // a few hundred rows
	got, err := listAll(t, s, mb)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%d of %d messages are listed: %v", len(got), len(want), err)
	}
	if n := dialer.large.Load(); n == 0 || n > 4 {
		t.Errorf("%d answers were too large, want 1, and few while the pages grow", n)
	}
	lines := log.with("timed out")
	if minutes := int(time.Since(began) / time.Minute); len(lines) == 0 || len(lines) > 1+minutes || !strings.Contains(lines[0], "mailbox="+mb.String()) || !strings.Contains(lines[0], "rows=5000") ||
		!strings.Contains(lines[0], "next_rows=100") || !strings.Contains(lines[0], "no response") {
		t.Errorf("logged: %q", lines)
	}
	if n := counter(t, registry, "popelago_cassandra_page_timeouts_total"); n != float64(dialer.large.Load()) {
		t.Errorf("%v pages were counted, %d timed out", n, dialer.large.Load())
	}

	before := dialer.large.Load()
	if got, err = listAll(t, s, mb); err != nil || !slices.Equal(got, want) {
		t.Fatalf("again: %d of %d messages are listed: %v", len(got), len(want), err)
	}
	if n := dialer.large.Load() - before; n != 0 {
		t.Errorf("the second list tried %d pages of too large a size", n)
	}

	// A list that no page size can bring ends with an error, and soon.
	dialer.most.Store(1000)
	if _, err := listAll(t, s, mb); err == nil {
		t.Error("a list of which nothing can be read is no error")
	}
	dialer.most.Store(0)
	if got, err := listAll(t, s, mb); err != nil || !slices.Equal(got, want) {
		t.Errorf("after all: %d of %d messages are listed: %v", len(got), len(want), err)
	}
}

// counter returns the value of a metric, added up over its labels.
func counter(t testing.TB, registry *prometheus.Registry, name string) (total float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return total
}
