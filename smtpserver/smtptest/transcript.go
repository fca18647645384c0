package smtptest

import (
	"net"
	"path/filepath"
	"strconv"
	"testing"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/smtpserver"
	"popelago/store"
	"popelago/store/storetest"
)

// RunTranscripts runs the transcripts in the subfolders smtp and lmtp of dir, each on an empty store
// from open. open closes the store at the end of its t.
func RunTranscripts(t *testing.T, dir string, open func(t *testing.T) store.Store) {
	t.Helper()
	for _, protocol := range []smtpserver.Protocol{smtpserver.SMTP, smtpserver.LMTP} {
		t.Run(string(protocol), func(t *testing.T) {
			glob := filepath.Join(dir, string(protocol), "*.txt")
			mailtest.RunTranscripts(t, glob, func(t *testing.T, options map[string]string) net.Conn {
				return dialTranscript(t, open(t), protocol, options)
			})
		})
	}
}

func dialTranscript(t *testing.T, st store.Store, protocol smtpserver.Protocol, options map[string]string) net.Conn {
	t.Helper()
	number := func(key string) int {
		n, err := strconv.Atoi(options[key])
		if err != nil && options[key] != "" {
			t.Fatalf("option %s: %v", key, err)
		}
		delete(options, key)
		return n
	}
	f := New(t, st, protocol, func(s *Settings) {
		s.Server.MaxRecipients = number("recipients")
		s.Server.MaxBadCommands = number("bad")
		s.Server.MaxRefusedRecipients = number("refused")
		s.Server.MaxLine = number("line")
		s.Delivery.MaxMessageSize = int64(number("size"))
		if number("tls") > 0 {
			s.Server.TLS = mailtest.Certificate(t).Server
		}
		if number("no-postmaster") > 0 {
			s.Delivery.Postmaster = mail.Address{}
		}
		if name := options["fault"]; name != "" {
			fault, ok := faultOf(name)
			if !ok {
				t.Fatalf("unknown fault %s", name)
			}
			s.Wrap = func(st store.Store) store.Store { return storetest.Faulty(st, fault) }
		}
		delete(options, "fault")
	})
	want := map[string]int{}
	for _, local := range []string{"alice", "bob", "carol", "dave", "postmaster"} {
		want[local] = number(local)
	}
	for key := range options {
		t.Fatalf("unknown option %s", key)
	}
	t.Cleanup(func() {
		for local, n := range want {
			if got := f.Inbox(t, local); len(got) != n {
				t.Errorf("%s has %d messages, want %d: %q", local, len(got), n, got)
			}
		}
	})
	return f.Dial(t, "192.0.2.1")
}
