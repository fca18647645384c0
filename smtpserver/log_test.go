package smtpserver_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/delivery"
	"popelago/mailtest"
	"popelago/smtpserver"
	"popelago/smtpserver/smtptest"
	"popelago/store"
	"popelago/store/storetest"
)

// messageLines are the entries about messages.
func messageLines(t *testing.T, log *mailtest.Log) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry["msg"] == "message" {
			lines = append(lines, entry)
		}
	}
	return lines
}

// TestLog: each message has one log line, which has the result of the message and nothing of its text.
func TestLog(t *testing.T) {
	var log mailtest.Log
	all := &storetest.Fault{Operation: "AddMessages", Lasting: true}
	half := &storetest.Fault{Operation: "AddMessages", Mode: storetest.Half, Lasting: true}
	r := newRig(t, smtpserver.LMTP, func(s *smtptest.Settings) {
		s.Server.Logger = slog.New(slog.NewJSONHandler(&log, nil))
		s.Delivery.MaxMessageSize = 1000
		s.Wrap = func(st store.Store) store.Store { return storetest.Faulty(storetest.Faulty(st, all), half) }
	})
	c := r.Client(t, "LHLO client.example")
	send := func(fault *storetest.Fault, body string) string {
		all.Off.Store(fault != all)
		half.Off.Store(fault != half)
		begin(c)
		c.Do("RCPT TO:<bob@example.test>", "250 ")
		c.Do("DATA", "354 ")
		c.Send("Subject: confidential\r\n\r\n" + body + "\r\n.\r\n")
		c.Line()
		return c.Line()
	}
	stored := send(nil, "x")
	send(nil, strings.Repeat("x", 1000))
	send(nil, "a\rb")
	send(all, "x")
	send(half, "x")
	c.Do("QUIT", "221 ")
	c.ExpectEOF()

	lines := messageLines(t, &log)
	for i, want := range []string{"stored", "refused", "refused", "deferred", "partly"} {
		if len(lines) <= i || lines[i]["result"] != want || lines[i]["from"] != "sender@example.org" || lines[i]["recipients"] != 2.0 ||
			lines[i]["to"] != "alice@example.test,bob@example.test" ||
			lines[i]["protocol"] != "lmtp" || lines[i]["remote"] != "192.0.2.1" || len(lines[i]["session"].(string)) != 12 {
			t.Fatalf("message %d: %v, want %s", i, lines[i:], want)
		}
		if _, has := lines[i]["cause"]; has != (want != "stored") {
			t.Errorf("message %d: cause %v", i, lines[i]["cause"])
		}
	}
	if len(lines) != 5 || !strings.HasSuffix(stored, lines[0]["message"].(string)) || lines[0]["octets"] != 28.0 || lines[4]["stored"] != 1.0 {
		t.Errorf("%v", lines)
	}
	if strings.Contains(log.String(), "confidential") {
		t.Errorf("the log has content: %s", log.String())
	}
}

// TestMetrics: an SMTP and an LMTP server share a registry.
func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	r := newRig(t, smtpserver.SMTP, nil)
	d, err := delivery.New(delivery.Config{}, r.Directory, r.Store, reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, protocol := range []smtpserver.Protocol{smtpserver.SMTP, smtpserver.LMTP} {
		srv, err := smtpserver.New(smtpserver.Config{Protocol: protocol}, d, reg)
		if err != nil {
			t.Fatal(err)
		}
		client, server := mailtest.Pipe("192.0.2.1")
		go srv.ServeConn(server)
		c := mailtest.NewClient(t, client)
		smtptest.Hello(c, map[smtpserver.Protocol]string{"smtp": "EHLO x", "lmtp": "LHLO x"}[protocol])
		begin(c)
		c.Do("DATA", "354 ")
		c.Send("x\r\n.\r\n")
		c.Expect("250 ")
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += "," + l.GetName() + "=" + l.GetValue()
			}
			seen[name] = m.GetCounter().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"popelago_smtpserver_messages_total,protocol=smtp,result=stored":     1,
		"popelago_smtpserver_messages_total,protocol=lmtp,result=stored":     1,
		"popelago_smtpserver_recipients_total,protocol=lmtp,result=accepted": 1,
		"popelago_smtpserver_replies_total,code=354,protocol=smtp":           1,
		"popelago_delivery_messages_total,result=stored":                     2,
		"popelago_delivery_octets_total":                                     6,
	} {
		if seen[name] != want {
			t.Errorf("%s is %v, want %v: %v", name, seen[name], want, seen)
		}
	}
	if _, err := smtpserver.New(smtpserver.Config{Protocol: smtpserver.SMTP}, d, reg); err == nil {
		t.Error("metrics were registered twice")
	}
}
