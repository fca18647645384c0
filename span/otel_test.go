//go:build otel

package span_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"popelago/app"
	"popelago/config"
	"popelago/mail"
	"popelago/mailtest"
	"popelago/span"
)

// receiver collects spans by OTLP/HTTP.
type receiver struct {
	mu    sync.Mutex
	spans []*otlp.Span
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var got collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &got)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rs := range got.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			r.spans = append(r.spans, ss.Spans...)
		}
	}
}

// tree returns the names of a span and of the spans within, such as "DATA(content, entries(recipient))", in
// alphabetical order.
func (r *receiver) tree(s *otlp.Span) string {
	var inner []string
	for _, c := range r.spans {
		if string(c.ParentSpanId) == string(s.SpanId) {
			inner = append(inner, r.tree(c))
		}
	}
	if len(inner) == 0 {
		return s.Name
	}
	slices.Sort(inner)
	return s.Name + "(" + strings.Join(inner, ", ") + ")"
}

// root returns the only span of a name, which must be the root of a tree.
func (r *receiver) root(t *testing.T, name string) *otlp.Span {
	t.Helper()
	var found []*otlp.Span
	for _, s := range r.spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	if len(found) != 1 || len(found[0].ParentSpanId) != 0 {
		t.Fatalf("%d spans %s, want one, as a root", len(found), name)
	}
	return found[0]
}

// within returns a span of a name within another.
func (r *receiver) within(t *testing.T, s *otlp.Span, name string) *otlp.Span {
	t.Helper()
	for _, c := range r.spans {
		if c.Name == name && string(c.ParentSpanId) == string(s.SpanId) {
			return c
		}
	}
	t.Fatalf("%s has no span %s", s.Name, name)
	return nil
}

// facts returns the attributes of a span as text.
func facts(s *otlp.Span) map[string]string {
	m := map[string]string{}
	for _, a := range s.Attributes {
		if a.Value.GetStringValue() != "" {
			m[a.Key] = a.Value.GetStringValue()
		} else {
			m[a.Key] = fmt.Sprint(a.Value.GetIntValue())
		}
	}
	return m
}

// setUp exports spans to a receiver, with a short queue.
func setUp(t *testing.T, endpoint string, log io.Writer) (stop func(context.Context)) {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
	stop, err := span.Setup(t.Context(), "v0", slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return stop
}

// useServer delivers a message to two accounts of a server and retrieves one.
func useServer(t *testing.T) {
	t.Helper()
	cfg := config.Dev(filepath.Join(t.TempDir(), "data"))
	cfg.POP3.Listen, cfg.LMTP.Listen = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}
	cfg.POP3S.Listen, cfg.SMTP.Listen, cfg.Metrics.Listen = nil, nil, nil
	cfg.Auth.Argon2Memory, cfg.Auth.Argon2Time = 64, 1
	a, err := app.New(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Stop(context.Background())
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Directory().AddDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	for _, local := range []string{"alice", "bob"} {
		if _, err := a.Directory().AddAccount(t.Context(), mail.Address{Local: local, Domain: "example.test"}, "secret word"); err != nil {
			t.Fatal(err)
		}
	}
	c := mailtest.Dial(t, a.Addrs()["lmtp"][0].String())
	c.Expect("220")
	c.Cmd("LHLO client.example.com")
	for !strings.HasPrefix(c.Expect("250"), "250 ") {
	}
	c.Do("MAIL FROM:<carol@example.com>", "250")
	c.Do("RCPT TO:<alice@example.test>", "250")
	c.Do("RCPT TO:<bob@example.test>", "250")
	c.Do("DATA", "354")
	c.Send("Subject: for two\r\n\r\nHello.\r\n.\r\n")
	c.Expect("250")
	c.Expect("250")
	c.Do("QUIT", "221")

	c = mailtest.Dial(t, a.Addrs()["pop3"][0].String())
	c.Expect("+OK")
	c.Do("USER alice@example.test", "+OK")
	c.Do("PASS secret word", "+OK")
	c.Do("RETR 1", "+OK")
	c.ReadMultiline()
	c.Do("DELE 1", "+OK")
	c.Do("QUIT", "+OK")
	c.ExpectEOF()
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A delivery, a retrieval and the background jobs arrive as trees of spans, without addresses and passwords.
func TestSpansOfAMessage(t *testing.T) {
	r := &receiver{}
	server := httptest.NewServer(r)
	defer server.Close()
	var log mailtest.Log
	stop := setUp(t, server.URL, &log)
	useServer(t)
	stop(t.Context())
	if log.String() != "" {
		t.Errorf("the log is %s", log.String())
	}
	r.mu.Lock()
	defer r.mu.Unlock()

	data := r.root(t, "DATA")
	if got, want := r.tree(data), "DATA(store content, store entries(commit, recipient, recipient))"; got != want {
		t.Errorf("the delivery is %s, want %s", got, want)
	}
	f := facts(data)
	if f["protocol"] != "lmtp" || f["recipients"] != "2" || f["result"] != "stored" || f["octets"] == "" || len(f["session"]) != 12 || f["message"] == "" {
		t.Errorf("the delivery has the facts %v", f)
	}
	if one := facts(r.within(t, r.within(t, data, "store entries"), "recipient")); one["message"] != f["message"] || one["mailbox"] == "" {
		t.Errorf("a recipient has the facts %v", one)
	}
	session := r.root(t, "POP3 session")
	if got, want := r.tree(session), "POP3 session(QUIT(commit), RETR, login)"; got != want {
		t.Errorf("the retrieval is %s, want %s", got, want)
	}
	if f := facts(session); f["ended"] != "quit" || f["retrieved"] != "1" || f["removed"] != "1" {
		t.Errorf("the session has the facts %v", f)
	}
	if f := facts(r.within(t, session, "login")); f["result"] != "ok" || f["messages"] != "1" {
		t.Errorf("the login has the facts %v", f)
	}
	if f := facts(r.within(t, session, "RETR")); f["octets"] == "" || f["octets"] == "0" {
		t.Errorf("RETR has the facts %v", f)
	}
	if !slices.ContainsFunc(r.spans, func(s *otlp.Span) bool { return strings.HasPrefix(s.Name, "job ") }) {
		t.Error("no span of a background job")
	}
	for _, s := range r.spans {
		for _, secret := range []string{"alice", "bob", "carol", "secret", "@", "127.0.0.1", "for two"} {
			if text := fmt.Sprint(s.Name, facts(s), s.Events, s.Status.GetMessage()); strings.Contains(text, secret) {
				t.Errorf("a span has %q: %s", secret, text)
			}
		}
	}
}

// A receiver that hangs or is down delays no mail, and the end of the server only for a bounded time. Spans
// beyond the queue are dropped.
func TestSpansWithoutReceiver(t *testing.T) {
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
	asked, hang := make(chan struct{}, 1), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-hang
	}))
	defer server.Close()
	defer close(hang)
	for name, endpoint := range map[string]string{"hangs": server.URL, "down": "http://127.0.0.1:1"} {
		t.Run(name, func(t *testing.T) {
			var log mailtest.Log
			stop := setUp(t, endpoint, &log)
			for range 1000 {
				_, s := span.Start(t.Context(), "work")
				s.End(nil)
			}
			if name == "hangs" {
				<-asked // from now on the exporter waits for the receiver
			}
			useServer(t)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			stop(ctx)
			if !strings.Contains(log.String(), "could not be exported") {
				t.Errorf("the log does not report the receiver: %q", log.String())
			}
		})
	}
}

// Without a receiver in the environment nothing is exported.
func TestSpansAreOffByDefault(t *testing.T) {
	for _, env := range []map[string]string{{}, {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}} {
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
		for key, value := range env {
			t.Setenv(key, value)
		}
		var log mailtest.Log
		stop, err := span.Setup(t.Context(), "v0", slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		_, s := span.Start(t.Context(), "work")
		s.Text("key", "value")
		s.End(io.EOF)
		span.Span{}.End(io.EOF)
		stop(t.Context())
		if log.String() != "" {
			t.Errorf("%v: the log is %s", env, log.String())
		}
	}
}
