package smtpserver_test

import (
	"net"
	"strconv"
	"testing"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/smtpserver"
	"popelago/store"
)

// Options of the transcripts:
//
//	recipients, bad, line, size   limits
//	tls=1                         STARTTLS is offered
//	no-postmaster=1               nobody is configured as postmaster
//	fault=...                     what the store answers, see faultyStore
//	alice=1, bob=2...             how many messages the mailbox must hold in the end; default 0
func TestTranscripts(t *testing.T) {
	for _, protocol := range []smtpserver.Protocol{smtpserver.SMTP, smtpserver.LMTP} {
		t.Run(string(protocol), func(t *testing.T) {
			mailtest.RunTranscripts(t, "testdata/"+string(protocol)+"/*.txt", func(t *testing.T, options map[string]string) net.Conn {
				return dialTranscript(t, protocol, options)
			})
		})
	}
}

func dialTranscript(t *testing.T, protocol smtpserver.Protocol, options map[string]string) net.Conn {
	number := func(key string) int {
		n, err := strconv.Atoi(options[key])
		if err != nil && options[key] != "" {
			t.Fatalf("option %s: %v", key, err)
		}
		delete(options, key)
		return n
	}
	r := newRig(t, protocol, func(s *settings) {
		s.server.MaxRecipients = number("recipients")
		s.server.MaxBadCommands = number("bad")
		s.server.MaxRefusedRecipients = number("refused")
		s.server.MaxLine = number("line")
		s.delivery.MaxMessageSize = int64(number("size"))
		if number("tls") > 0 {
			s.server.TLS = mailtest.Certificate(t).Server
		}
		if number("no-postmaster") > 0 {
			s.delivery.Postmaster = mail.Address{}
		}
		if fault := options["fault"]; fault != "" {
			s.wrap = func(st store.Store) store.Store { return &faultyStore{Store: st, fault: fault} }
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
			if got := r.inbox(t, address(local)); len(got) != n {
				t.Errorf("%s has %d messages, want %d: %q", local, len(got), n, got)
			}
		}
	})
	return r.dial(t)
}

// faultyStore answers some calls with an error:
//
//	directory   AddressRows
//	domains     Domain
//	new, new-full, put, put-full, write, write-full   the content
//	add         AddMessages
//	add-second  the second entry of each AddMessages, which is not written
//	unknown     AddMessages, which writes all the same
type faultyStore struct {
	store.Store
	fault string
}

func (f *faultyStore) errIf(fault string) error {
	switch f.fault {
	case fault:
		return store.ErrUnavailable
	case fault + "-full":
		return store.ErrFull
	}
	return nil
}
