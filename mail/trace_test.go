package mail_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"popelago/mail"
)

func TestReceivedHeader(t *testing.T) {
	alice := mail.Recipient{Address: mail.Address{Local: "alice", Domain: "example.test"}}
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.FixedZone("", 3600))
	full := mail.Received{Helo: "client.example", Remote: netip.MustParseAddr("::ffff:192.0.2.1"), By: "mx.example.test", ID: "0f2d.1",
		With: "ESMTPS", TLS: "TLS 1.3 TLS_AES_128_GCM_SHA256", Time: at}
	tests := []struct {
		name string
		e    mail.Envelope
		want string
	}{
		{"full", mail.Envelope{Received: full, Recipients: []mail.Recipient{alice}},
			"Received: from client.example ([192.0.2.1])\r\n\tby mx.example.test with ESMTPS (TLS 1.3 TLS_AES_128_GCM_SHA256) id 0f2d.1\r\n" +
				"\tfor <alice@example.test>; Fri, 2 Jan 2026 14:04:05 +0000\r\n"},
		{"two recipients", mail.Envelope{Received: full, Recipients: []mail.Recipient{alice, alice}},
			"Received: from client.example ([192.0.2.1])\r\n\tby mx.example.test with ESMTPS (TLS 1.3 TLS_AES_128_GCM_SHA256) id 0f2d.1; " +
				"Fri, 2 Jan 2026 14:04:05 +0000\r\n"},
		{"nothing known", mail.Envelope{Received: mail.Received{Time: at}},
			"Received: from unknown\r\n\tby localhost with SMTP; Fri, 2 Jan 2026 14:04:05 +0000\r\n"},
		{"IPv6", mail.Envelope{Received: mail.Received{Helo: "[IPv6:2001:db8::1]", Remote: netip.MustParseAddr("fe80::1%eth0"), Time: at}},
			"Received: from [IPv6:2001:db8::1] ([IPv6:fe80::1])\r\n\tby localhost with SMTP; Fri, 2 Jan 2026 14:04:05 +0000\r\n"},
		{"hostile", mail.Envelope{Received: mail.Received{Helo: "a\r\nX: y (z);\xff\u0085<>", TLS: "(\r\n)", Time: at},
			Recipients: []mail.Recipient{{Address: mail.Address{Local: "a\r\n(b)>", Domain: "d"}}}},
			"Received: from a??X:?y??z????\u003f?\r\n\tby localhost with SMTP (????)\r\n\tfor <\"a????b?>\"@d>; Fri, 2 Jan 2026 14:04:05 +0000\r\n"},
	}
	for _, test := range tests {
		if got := mail.ReceivedHeader(test.e); test.name != "hostile" && got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		} else if strings.Count(got, "\r\n") != strings.Count(got, "\r\n\t")+1 || strings.Count(got, ";") != 1 {
			t.Errorf("%s: %q breaks out of its line", test.name, got)
		}
	}
}

func TestDeliveryHeader(t *testing.T) {
	const want = "Return-Path: <a@example.org>\r\nDelivered-To: b@example.test\r\n"
	if got := mail.DeliveryHeader("a@example.org", "b@example.test"); got != want {
		t.Errorf("%q, want %q: the size of every message stored depends on it", got, want)
	}
}

// FuzzReceivedHeader: no input of a client breaks the header line.
func FuzzReceivedHeader(f *testing.F) {
	f.Add("client.example", "alice", "example.test")
	f.Add("a\r\nb", "\r\n.\r\n", "(\xff)")
	f.Fuzz(func(t *testing.T, helo, local, domain string) {
		e := mail.Envelope{Received: mail.Received{Helo: helo, TLS: helo}, Recipients: []mail.Recipient{{Address: mail.Address{Local: local, Domain: domain}}}}
		got := mail.ReceivedHeader(e)
		lines := strings.Split(got, "\r\n")
		if len(lines) != 4 || lines[3] != "" || strings.ContainsAny(strings.Join(lines, ""), "\r\n\x00") {
			t.Errorf("%q", got)
		}
	})
}

func TestHeader(t *testing.T) {
	m := mail.Message{Recipient: "b@example.test"}
	if got := m.Header("a@example.org"); got != mail.DeliveryHeader("a@example.org", "b@example.test") {
		t.Errorf("without original: %q", got)
	}
	m.Original = "c@example.test"
	if got, want := m.Header(""), "Return-Path: <>\r\nDelivered-To: b@example.test\r\nX-Original-To: c@example.test\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
